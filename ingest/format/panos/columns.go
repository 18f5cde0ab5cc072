// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package panos

import (
	"slices"
	"strings"
)

// Columns of each type of log, by the names that the vendor's "Syslog Field
// Descriptions" give them (PAN-OS 8.1 to 11.2). New versions only append, so an
// older record is a shorter one. "_" is reserved for the vendor's future use and
// not read.
const (
	head = "_ receive_time serial type subtype _ time_generated "

	session = "src dst natsrc natdst rule srcuser dstuser app vsys from to inbound_if outbound_if logset _ " +
		"sessionid repeatcnt sport dport natsport natdport flags proto action "

	groups = "dg_hier_level_1 dg_hier_level_2 dg_hier_level_3 dg_hier_level_4 vsys_name device_name "

	devices = "src_category src_profile src_model src_vendor src_osfamily src_osversion src_host src_mac " +
		"dst_category dst_profile dst_model dst_vendor dst_osfamily dst_osversion dst_host dst_mac "

	pods = "container_id pod_namespace pod_name src_edl dst_edl "

	ofApp = "subcategory_of_app category_of_app technology_of_app risk_of_app characteristic_of_app container_of_app "

	traffic = head + session + "bytes bytes_sent bytes_received packets start elapsed category _ seqno actionflags srcloc dstloc _ " +
		"pkts_sent pkts_received session_end_reason " + groups + "action_source src_uuid dst_uuid tunnelid monitortag parent_session_id " +
		"parent_start_time tunnel assoc_id chunks chunks_sent chunks_received rule_uuid http2_connection link_change_count policy_id " +
		"link_switches sdwan_cluster sdwan_device_type sdwan_cluster_type sdwan_site dynusergroup_name xff_ip " + devices + pods +
		"hostid serialnumber src_dag dst_dag session_owner high_res_timestamp nssai_sst nssai_sd " + ofApp +
		"tunneled_app is_saas_of_app sanctioned_state_of_app offloaded flow_type cluster_name ai_traffic ai_fwd_error k8s_cluster_id"

	threat = head + session + "misc threatid category severity direction seqno actionflags srcloc dstloc _ contenttype pcap_id filedigest " +
		"cloud url_idx user_agent filetype xff referer sender subject recipient reportid " + groups + "_ src_uuid dst_uuid http_method " +
		"tunnelid monitortag parent_session_id parent_start_time tunnel thr_category contentver _ assoc_id ppid http_headers " +
		"url_category_list rule_uuid http2_connection dynusergroup_name xff_ip " + devices + pods +
		"hostid serialnumber domain_edl src_dag dst_dag partial_hash high_res_timestamp reason justification nssai_sst " + ofApp +
		"tunneled_app is_saas_of_app sanctioned_state_of_app cloud_reportid cluster_name flow_type"

	globalProtect = head + "vsys eventid stage auth_method tunnel_type srcuser srcregion machinename public_ip public_ipv6 private_ip " +
		"private_ipv6 hostid serialnumber client_ver client_os client_os_ver repeatcnt reason error opaque status location login_duration " +
		"connect_method error_code portal seqno actionflags high_res_timestamp selection_type response_time priority attempted_gateways " +
		"gateway " + groups + "vsys_id cluster_name"

	system = head + "vsys eventid object _ _ module severity opaque seqno actionflags " + groups + "_ _ high_res_timestamp cluster_name"

	// Two more columns stand before seqno when the device was told to send what
	// a change replaced.
	config       = head + "host vsys cmd admin client result path seqno actionflags " + groups + "dg_id comment _ high_res_timestamp"
	configBefore = head + "host vsys cmd admin client result path before_change_detail after_change_detail seqno actionflags " + groups +
		"dg_id comment _ high_res_timestamp"

	userID = head + "vsys ip user datasourcename eventid repeatcnt timeout beginport endport datasource datasourcetype seqno actionflags " +
		groups + "vsys_id factortype factorcompletiontime factorno ugflags userbysource tag_name high_res_timestamp origindatasource _ cluster_name"

	hip = head + "srcuser vsys machinename os src matchname repeatcnt matchtype _ _ seqno actionflags " + groups +
		"vsys_id srcipv6 hostid serialnumber mac high_res_timestamp cluster_name"

	authentication = head + "vsys ip user normalize_user object authpolicy repeatcnt authid vendor logset serverprofile desc clienttype event " +
		"factorno seqno actionflags " + groups + "vsys_id authproto rule_uuid high_res_timestamp src_category src_profile src_model src_vendor " +
		"src_osfamily src_osversion src_host src_mac region _ user_agent sessionid"

	decryption = head + session + "tunnel _ _ src_uuid dst_uuid rule_uuid hs_stage_c2f hs_stage_f2s tls_version tls_keyxchg tls_enc tls_auth " +
		"policy_name ec_curve err_index root_status chain_status proxy_type cert_serial fingerprint notbefore notafter cert_ver cert_size " +
		"cn_len issuer_len rootcn_len sni_len cert_flags cn issuer_cn root_cn sni error " + pods + "src_dag dst_dag high_res_timestamp " +
		devices + "seqno actionflags " + groups + "vsys_id " + ofApp + "is_saas_of_app sanctioned_state_of_app cluster_name"
)

// kind is one type of log: its columns and the label of its events.
type kind struct {
	service string
	cols    []string
	clock   int // the column of clockName, -1 without one
}

const clockName = "high_res_timestamp"

func columns(service, names string) kind {
	cols := strings.Fields(names)
	return kind{service, cols, slices.Index(cols, clockName)}
}

// kinds by the text of the type column. Types without an entry keep their
// columns by number.
var kinds = map[string]kind{
	"TRAFFIC":        columns("traffic", traffic),
	"THREAT":         columns("threat", threat),
	"GLOBALPROTECT":  columns("globalprotect", globalProtect),
	"SYSTEM":         columns("system", system),
	"CONFIG":         columns("config", config),
	"USERID":         columns("userid", userID),
	"HIPMATCH":       columns("hip", hip),
	"HIP-MATCH":      columns("hip", hip),
	"AUTHENTICATION": columns("auth", authentication),
	"DECRYPTION":     columns("decryption", decryption),
	"IPTAG":          columns("iptag", head),
	"CORRELATION":    columns("correlation", head),
	"GTP":            columns("gtp", head),
	"SCTP":           columns("sctp", head),
	"START":          columns("tunnel", head), // tunnel inspection has no type of its own
	"END":            columns("tunnel", head),
	"AUDIT":          columns("audit", head),
}

var configWithChanges = strings.Fields(configBefore)
