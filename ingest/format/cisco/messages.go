// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package cisco

import (
	"sync"

	"citywall/ingest/format"
	"citywall/ingest/format/sentence"
)

// texts are the messages that are read, as sentence.Parse takes them, after
// Cisco's "Secure Firewall ASA Series Syslog Messages" and the IOS "System
// Message Guide".
const texts = `
106001|denied|Inbound {proto} connection denied from {src_ip}/{src_port} to {dst_ip}/{dst_port} flags {tcp_flags} on interface {src_interface}
106002|denied|{proto} Connection denied by outbound list {acl} src {src_ip} dest {dst_ip}
106006|denied|Deny inbound {proto} from {src_ip}/{src_port} to {dst_ip}/{dst_port} on interface {src_interface}
106007|denied|Deny inbound {proto} from {src_ip}/{src_port} to {dst_ip}/{dst_port} due to {reason}
106010|denied|Deny inbound {proto} src {src_interface}:{src_ip}/{src_port} dst {dst_interface}:{dst_ip}/{dst_port}
106010|denied|Deny inbound {proto} src {src_interface}:{src_ip} dst {dst_interface}:{dst_ip}
106011|denied|Deny inbound (No xlate) {proto} src {src_interface}:{src_ip}/{src_port} dst {dst_interface}:{dst_ip}/{dst_port}
106012|denied|Deny IP from {src_ip} to {dst_ip}, IP options {reason}
106014|denied|Deny inbound {proto} src {src_interface}:{src_ip} dst {dst_interface}:{dst_ip} (type {icmp_type}, code {icmp_code})
106015|denied|Deny {proto} (no connection) from {src_ip}/{src_port} to {dst_ip}/{dst_port} flags {tcp_flags} on interface {src_interface}
106016|denied|Deny IP spoof from ({src_ip}) to {dst_ip} on interface {src_interface}
106017|denied|Deny IP due to Land Attack from {src_ip} to {dst_ip}
106018|denied|{proto} packet type {icmp_type} denied by outbound list {acl} src {src_ip} dest {dst_ip}
106020|denied|Deny IP teardrop fragment (size = {_}, offset = {_}) from {src_ip} to {dst_ip}
106021|denied|Deny {proto} reverse path check from {src_ip} to {dst_ip} on interface {src_interface}
106022|denied|Deny {proto} connection spoof from {src_ip} to {dst_ip} on interface {src_interface}
106023|denied|Deny {proto} src {src_interface}:{src_ip}/{src_port} dst {dst_interface}:{dst_ip}/{dst_port} by access-group "{acl}" [{_}
106023|denied|Deny {proto} src {src_interface}:{src_ip} dst {dst_interface}:{dst_ip} (type {icmp_type}, code {icmp_code}) by access-group "{acl}" [{_}
106023|denied|Deny {proto} src {src_interface}:{src_ip}/{src_port} dst {dst_interface}:{dst_ip}/{dst_port} by access-group "{acl}"
106023|denied|Deny {proto} src {src_interface}:{src_ip} dst {dst_interface}:{dst_ip} by access-group "{acl}" [{_}
106027|denied|Deny src {src_ip} dst {dst_ip} by access-group "{acl}"
106100|acl|access-list {acl} {disposition} {proto} {src_interface}/{src_ip}({src_port}) -> {dst_interface}/{dst_ip}({dst_port}) hit-cnt {hits} {_}
106100|acl|access-list {acl} {disposition} {proto} {src_interface}/{src_ip}({src_port})({src_user}) -> {dst_interface}/{dst_ip}({dst_port}) hit-cnt {hits} {_}
106102|acl|access-list {acl} {disposition} {proto} for user '{user}' {src_interface}/{src_ip}({src_port}) -> {dst_interface}/{dst_ip}({dst_port}) hit-cnt {hits} {_}
109005|login-ok|Authentication succeeded for user '{user}' from {src_ip}/{src_port} to {dst_ip}/{dst_port} on interface {src_interface}
109006|login-failed|Authentication failed for user '{user}' from {src_ip}/{src_port} to {dst_ip}/{dst_port} on interface {src_interface}
109007|authorised|Authorization permitted for user '{user}' from {src_ip}/{src_port} to {dst_ip}/{dst_port} on interface {src_interface}
109008|refused|Authorization denied for user '{user}' from {src_ip}/{src_port} to {dst_ip}/{dst_port} on interface {src_interface}
111008|command|User '{user}' executed the '{command}' command.
111009|command|User '{user}' executed cmd: {command}
111010|command|User '{user}', running '{application}' from IP {src_ip}, executed '{command}'
113004|aaa-ok|AAA user {aaa_type} Successful : server = {server} : user = {user}
113005|vpn-failed|AAA user authentication Rejected : reason = {reason} : server = {server} : user = {user} : user IP = {src_ip}
113005|vpn-failed|AAA user authentication Rejected : reason = {reason} : server = {server} : user = {user}
113006|locked|User '{user}' locked out on exceeding '{_}' successive failed authentication attempts
113008|aaa-ok|AAA transaction status ACCEPT : user = {user}
113012|aaa-ok|AAA user authentication Successful : local database : user = {user}
113015|vpn-failed|AAA user authentication Rejected : reason = {reason} : local database : user = {user} : user IP = {src_ip}
113015|vpn-failed|AAA user authentication Rejected : reason = {reason} : local database : user = {user}
113016|vpn-failed|AAA credentials rejected : reason = {reason} : server = {server} : user = {user} : user IP = {src_ip}
113017|vpn-failed|AAA credentials rejected : reason = {reason} : local database : user = {user} : user IP = {src_ip}
113019|vpn-end|Group = {group}, Username = {user}, IP = {src_ip}, Session disconnected. Session Type: {session_type}, Duration: {duration}, Bytes xmt: {bytes_sent}, Bytes rcv: {bytes_received}, Reason: {reason}
113021|login-failed|Attempted console login failed. User '{user}' did NOT have appropriate Admin Rights.
113039|vpn-begin|Group {group} User {user} IP {src_ip} AnyConnect parent session started.
302010|count|{connections} in use, {most} most used
302020|built-icmp|Built {direction} {proto} connection for faddr {faddr}/{_} gaddr {gaddr}/{_} laddr {laddr}/{_} type {icmp_type} code {icmp_code}
302020|built-icmp|Built {direction} {proto} connection for faddr {faddr}/{_} gaddr {gaddr}/{_} laddr {laddr}/{_}
302021|teardown-icmp|Teardown {proto} connection for faddr {src_ip}/{_} gaddr {dst_mapped_ip}/{_} laddr {dst_ip}/{_} type {icmp_type} code {icmp_code}
302021|teardown-icmp|Teardown {proto} connection for faddr {src_ip}/{_} gaddr {dst_mapped_ip}/{_} laddr {dst_ip}/{_}
303002|ftp|FTP connection from {src_interface}:{src_ip}/{src_port} to {dst_interface}:{dst_ip}/{dst_port}, user {user} {ftp_action} file {file}
304001|url|{user}@{src_ip} Accessed URL {dst_ip}:{url}
304001|url|{src_ip} Accessed URL {dst_ip}:{url}
304002|url-denied|Access denied URL {url} SRC {src_ip} DEST {dst_ip}
305006|nat-failed|{nat} translation creation failed for {proto} src {src_interface}:{src_ip}/{src_port} dst {dst_interface}:{dst_ip}/{dst_port}
305009|nat-built|Built {nat} translation from {src_interface}:{src_ip} to {dst_interface}:{src_mapped_ip}
305010|nat-teardown|Teardown {nat} translation from {src_interface}:{src_ip} to {dst_interface}:{src_mapped_ip} duration {duration}
305011|nat-built|Built {nat} {proto} translation from {src_interface}:{src_ip}/{src_port} to {dst_interface}:{src_mapped_ip}/{src_mapped_port}
305012|nat-teardown|Teardown {nat} {proto} translation from {src_interface}:{src_ip}/{src_port} to {dst_interface}:{src_mapped_ip}/{src_mapped_port} duration {duration}
313001|denied|Denied ICMP type={icmp_type}, code={icmp_code} from {src_ip} on interface {src_interface}
313004|denied|Denied ICMP type={icmp_type}, from laddr {src_ip} on interface {src_interface} to {dst_ip}: no matching session
315011|login-end|SSH session from {src_ip} on interface {src_interface} for user "{user}" disconnected by SSH server, reason: {reason}
338002|alert|Dynamic Filter {verdict} {_} {proto} traffic from {src_interface}:{src_ip}/{src_port} ({_}) to {dst_interface}:{dst_ip}/{dst_port} ({_}), destination {_} resolved from {_} list: {threat_name}, threat-level: {threat_level}, category: {threat_category}
338004|alert|Dynamic Filter {verdict} {_} {proto} traffic from {src_interface}:{src_ip}/{src_port} ({_}) to {dst_interface}:{dst_ip}/{dst_port} ({_}), destination {_} resolved from {_} list: {threat_name}, threat-level: {threat_level}, category: {threat_category}
401004|denied|Shunned packet: {src_ip} ==> {dst_ip} on interface {src_interface}
405001|alert|Received ARP {arp} collision from {src_ip}/{src_mac} on interface {src_interface}
419002|alert|Duplicate TCP SYN from {src_interface}:{src_ip}/{src_port} to {dst_interface}:{dst_ip}/{dst_port} with different initial sequence number
502101|account|New user added to local dbase: Uname: {user} Priv: {privilege} Encpass: {_}
502102|account|User deleted from local dbase: Uname: {user} Priv: {privilege} Encpass: {_}
502103|account|User priv level changed: Uname: {user} From: {privilege_before} To: {privilege}
605004|login-failed|Login denied from {src_ip}/{src_port} to {dst_interface}:{dst_ip}/{service} for user "{user}"
605005|login-ok|Login permitted from {src_ip}/{src_port} to {dst_interface}:{dst_ip}/{service} for user "{user}"
606001|asdm|ASDM session number {session} from {src_ip} started
606002|asdm|ASDM session number {session} from {src_ip} ended
611101|login-ok|User authentication succeeded: IP address: {src_ip}, Uname: {user}
611101|login-ok|User authentication succeeded: Uname: {user}
611102|login-failed|User authentication failed: IP address: {src_ip}, Uname: {user}
611102|login-failed|User authentication failed: Uname: {user}
611103|login-end|User logged out: Uname: {user}
713228|vpn-ok|Group = {group}, Username = {user}, IP = {src_ip}, Assigned private IP address {assigned_ip} to remote user
716001|webvpn-ok|Group {group} User {user} IP {src_ip} WebVPN session started.
716002|vpn-end|Group {group} User {user} IP {src_ip} WebVPN session terminated: {reason}
716038|aaa-ok|Group {group} User {user} IP {src_ip} Authentication: successful, Session Type: {session_type}
716039|vpn-failed|Group {group} User {user} IP {src_ip} Authentication: rejected, Session Type: {session_type}
722022|tunnel|Group {group} User {user} IP {src_ip} {proto} SVC connection established {_}
722023|tunnel|Group {group} User {user} IP {src_ip} {proto} SVC connection terminated {_}
722033|tunnel|Group {group} User {user} IP {src_ip} First {proto} SVC connection established for SVC session.
722037|tunnel|Group {group} User {user} IP {src_ip} SVC closing connection: {reason}
722051|vpn-ok|Group {group} User {user} IP {src_ip} IPv4 Address {assigned_ip} IPv6 address {assigned_ip6} assigned to session
722051|vpn-ok|Group {group} User {user} IP {src_ip} Address {assigned_ip} assigned to session
722055|tunnel|Group {group} User {user} IP {src_ip} Client Type: {client}
733100|alert|[{object}] drop {rate} exceeded. Current burst rate is {burst_rate} per second, max configured rate is {_}; Current average rate is {average_rate} per second, max configured rate is {_}; Cumulative total count is {total}
733101|alert|[{object}] {target}. Current burst rate is {burst_rate} per second, {_}
733102|alert|Threat-detection adds host {src_ip} to shun list
733103|shun-end|Threat-detection removes host {src_ip} from shun list
734001|dap|DAP: User {user}, Addr {src_ip}, Connection {session_type}: The following DAP records were selected for this connection: {dap}
746012|identity|user-identity: Add IP-User mapping {src_ip} - {user} Succeeded - {reason}
IPACCESSLOGP|acl|list {acl} {disposition} {proto} {src_ip}({src_port}) ({src_interface} {_}) -> {dst_ip}({dst_port}), {packets} packet{_}
IPACCESSLOGP|acl|list {acl} {disposition} {proto} {src_ip}({src_port}) -> {dst_ip}({dst_port}), {packets} packet{_}
IPACCESSLOGDP|acl|list {acl} {disposition} {proto} {src_ip} -> {dst_ip} ({icmp_type}/{icmp_code}), {packets} packet{_}
IPACCESSLOGNP|acl|list {acl} {disposition} {proto} {src_ip} -> {dst_ip}, {packets} packet{_}
IPACCESSLOGS|acl|list {acl} {disposition} {src_ip} {packets} packet{_}
LOGIN_SUCCESS|login-ok|Login Success [user: {user}] [Source: {src_ip}] [localport: {dst_port}] at {_}
LOGIN_FAILED|login-failed|Login failed [user: {user}] [Source: {src_ip}] [localport: {dst_port}] [Reason: {reason}] at {_}
SSH2_USERAUTH|ssh|User '{user}' authentication for SSH2 Session from {src_ip} (tty = {tty}) using crypto cipher '{_}', hmac '{_}' {disposition}
SSH2_SESSION|ssh|SSH2 Session request from {src_ip} (tty = {tty}) using crypto cipher '{_}', hmac '{_}' {disposition}
LOGOUT|login-end|User {user} has exited tty session {tty}({src_ip})
CONFIG_I|command|Configured from {origin} by {user} on {tty} ({src_ip})
CONFIG_I|command|Configured from {origin} by {user}
CFGLOG_LOGGEDCMD|command|User:{user} logged command:{command}
SESS_AUDIT_TRAIL|flow|Stop {proto} session: initiator ({src_ip}:{src_port}) sent {bytes_sent} bytes -- responder ({dst_ip}:{dst_port}) sent {bytes_received} bytes
PSECURE_VIOLATION|alert|Security violation occurred, caused by MAC address {src_mac} on port {src_interface}.
`

var patterns = sync.OnceValue(func() sentence.Table { return sentence.Parse(texts) })

// known reads the message by its text.
func known(id, text string, b *format.Body) {
	var direction, foreign, global, local string
	event := patterns().Read(id, text, func(field, value string) {
		switch field {
		case "duration":
			lasted(value, b)
			return
		case "direction":
			direction = value
		case "faddr":
			foreign = value
		case "gaddr":
			global = value
		case "laddr":
			local = value
		}
		b.Add(field, value)
	})
	if event == "" {
		return
	}
	b.Add("event", event)
	if event != "built-icmp" {
		return
	}
	if direction == "outbound" { // the direction says which of both addresses began
		b.Add("src_ip", local)
		b.Add("src_mapped_ip", global)
		b.Add("dst_ip", foreign)
		return
	}
	b.Add("src_ip", foreign)
	b.Add("dst_ip", local)
	b.Add("dst_mapped_ip", global)
}
