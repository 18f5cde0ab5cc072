// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package incident

// Codes of Reason. The inference writes them with the arguments named here;
// package narrate words them ("narrate.reason.<code>"). Times are RFC 3339 in
// UTC with milliseconds, numbers decimal text, names as the record has them.
//
// Terms of a score (Reason.Plus is the weight; attackpath.md §4.3):
const (
	Prior               = "prior"                 // {}: before anything is known, a move is nobody's attack
	FirstTimePair       = "first_time_pair"       // {days}: source, destination and account together for the first time in so many days of log
	FirstTimePeer       = "first_time_peer"       // {address, account}: the account never came from there before
	FirstTimeTask       = "first_time_task"       // {what}: nothing of that name was made before
	NewKind             = "new_kind"              // {kind, days}: the source never used this kind of access before
	LoneSource          = "lone_source"           // {}: no other machine does this to the destination (no history to go by)
	Habit               = "habit"                 // {days}: the same on so many earlier days
	SourceHabit         = "source_habit"          // {targets, days}: the source does this with that account to many machines
	AdminPair           = "admin_pair"            // {}: stated as administration by design
	KnownScanner        = "known_scanner"         // {}: the source is a scanner
	Responder           = "responder"             // {}: an account or machine of those who respond
	CredentialSwitch    = "credential_switch"     // {from, to, clear, days, own}: who sat there used another account; clear yes/no: only one candidate; days with the same switch before; own yes/no: the names show that it is his own second account
	Privileged          = "privileged"            // {}: the session got special privileges
	RemoteExec          = "remote_exec"           // {kind, what}: made the other machine run something; kind service, task, wmi, winrm
	AdminShareWrite     = "admin_share_write"     // {share}: something was written to an administrative share
	AdminShareOpen      = "admin_share_open"      // {share}: an administrative share was opened
	CopyToPeer          = "copy_to_peer"          // {bytes}: a large copy to a machine that serves its shares to nobody else
	OffHours            = "outside_hours"         // {hour}: an interactive session outside working hours; local hour
	AfterFailures       = "after_failures"        // {attempts}: refused so often, then let in
	PlainAccess         = "plain_access"          // {}: ordinary access by which nothing was run
	DomainService       = "domain_service"        // {}: what every member asks of a domain controller
	NewMachine          = "new_machine"           // {address, days}: a source without a name, not seen before in so many days
	FromOutside         = "from_outside"          // {address}: accepted from outside
	AlertOnEdge         = "alert_on_edge"         // {alert, level}: a rule or product raised the connection itself; level may be absent
	SourceBad           = "source_bad"            // {since}: the source showed signs before
	DestSign            = "dest_sign"             // {sign, after_s}: the destination's first sign so many seconds after
	SessionDeed         = "session_deed"          // {what, on, steps}: what betrays the intruder was done in the session that the move opened, or in one that it led to so many logons later
	HarmlessElsewhere   = "harmless_elsewhere"    // {hosts, what}: the source did the same to so many machines that show nothing
	QuietAfter          = "quiet_after"           // {hours}: the destination showed nothing for so long after it
	PolicyPush          = "policy_push"           // {what, hosts, policy, changed}: the same task on so many machines after a policy was changed
	PolicyPushUnseen    = "policy_push_unseen"    // {what, hosts}: the same task on so many machines just after they read from the controller, whose own records are missing
	RequestsBeforeSigns = "requests_before_signs" // {signs, of, requests}: so many of the signs follow a request of this client
	OddPort             = "odd_port"              // {port}: no common service has this port
	AltPort             = "alt_port"              // {port}: a second port of the web
	CalledAfterTool     = "called_after_tool"     // {tool, after_s}: the first call so soon after a program for control from afar showed
	NoName              = "no_name"               // {}: no name led to the address, though the source's questions are visible
	BadCertificate      = "bad_certificate"       // {verdict}: the sensor's words
	BareSNI             = "bare_sni"              // {}: TLS to a bare address
	RegularBeacon       = "regular_beacon"        // {median_s, spread, connections}: even gaps; spread is MAD over median
	Busy                = "busy"                  // {connections, minutes}
	LongSession         = "long_session"          // {seconds}
	Upload              = "upload"                // {bytes}: that much went out
	BinaryFetched       = "binary_fetched"        // {bytes}: programs were fetched
	Popular             = "popular"               // {hosts}: so many of our machines speak to the address
	SharedAddress       = "shared_address"        // {channels}: other suspicious channels use the address
)

// Reasons of hosts, steps and accounts.
const (
	EntryHost        = "entry_host"         // {}: entered first
	ReachedBy        = "reached_by"         // {kind, from, hop}: by this move
	ShowsStep        = "shows_step"         // {step, what, time}: a sign on the host
	MassRename       = "mass_rename"        // {extension, files}
	AttemptsThenSign = "attempts_then_sign" // {attempts, began, ended}: a flood of attempts, and the sign after it
	PossiblyTouched  = "possibly_touched"   // {time}: could have been reached; shows no sign
	ObserverOnly     = "observer_only"      // {of}: reports what other machines do
	AttemptsOnly     = "attempts_only"      // {attempts}: was tried, shows no success
	AttributedTo     = "attributed_to"      // {host, by}: the report names no machine; this is the only one in question
	OutsideAddress   = "outside_address"    // {}
	UsedOnHop        = "used_on_hop"        // {hop, kind, dst}: the account was used for this move
	AtKeyboard       = "at_keyboard"        // {hop}: was at the keyboard behind this move
	SideReason       = "side"               // {why}: why an address counts as inside or outside; why is one of clean.Why*
	Rarity           = "rarity"             // {m, factor, days_with, days}: how usual the move is in the baseline
	SecondSource     = "second_source"      // {sources}: independent sources tell of it
)

// Reasons of FirstCompromise.
const (
	LogsBeginAt    = "logs_begin"       // {time, before_s}: the first sign comes so soon after the logs begin that nothing before is known to be good
	QuietBefore    = "quiet_before"     // {days, until}: so many days of records without a sign
	OrdinaryDay    = "ordinary_day"     // {until}: nothing shows the way in; the last whole day without any sign ended then
	BeyondDoubt    = "beyond_doubt"     // {time}: what may have been the first is of time and cannot be told from ordinary use; the upper end is the first moment beyond doubt
	CameBefore     = "came_before"      // {time}: visits that look alike go back to where the logs begin
	NoOrdinaryDay  = "no_ordinary_day"  // {time}: nothing shows the way in, and no whole day since the logs begin is without a sign
	OnlyAttempts   = "only_attempts"    // {until, attempts}: until then attempts, no success
	RanBefore      = "ran_before"       // {time}: what was stopped then had been running; since when is not in these logs
	FirstBadMove   = "first_bad_move"   // {kind, from}: the move by which it was entered
	FirstBadSign   = "first_bad_sign"   // {what, step}
	FirstBadRecord = "first_bad_record" // {what}: the first record that shows it
)

// Reasons of Entry.
const (
	EntryNotSeen         = "entry_not_seen"         // {}: no record shows how the first host was entered
	FirstSignIsChannel   = "first_sign_is_channel"  // {address, port}: the first sign is a call to the outside; how it came about is not seen
	EntryByMove          = "entry_by_move"          // {kind, from, account}
	EntryByFinding       = "entry_by_finding"       // {what}
	AttackerPlaceUnknown = "attacker_place_unknown" // {}: the records name the attacked machine only
)

// Reasons of severity.
const (
	SevEncryption = "encryption"         // {hosts}
	SevInhibit    = "recovery_destroyed" // {hosts}
	SevController = "domain_controller"  // {host}
	SevProtected  = "protected_class"    // {host, role}
	SevExfil      = "exfiltration"       // {bytes}
	SevControl    = "control_channel"    // {addresses}
	SevSpread     = "spread"             // {hosts}
	SevPrivilege  = "privilege_gained"   // {hosts}
	SevWebShell   = "web_shell"          // {hosts}
	SevFinding    = "strongest_finding"  // {what, level}
	SevAnomaly    = "anomaly_only"       // {score}: no rule fired; the connections themselves
	SevAssumed    = "assumed_only"       // {}: rests on an assumption an investigator must sign
	SevOngoing    = "ongoing"            // {last}
)

// Reasons of Suspect, beside the terms of channels above.
const (
	SuspectEntry    = "came_in"       // {kind, host}: the way in
	SuspectControl  = "controls"      // {host, port}
	SuspectExfil    = "took_data"     // {host, bytes}
	SuspectAttempts = "tried"         // {attempts, hosts}
	SuspectNewPeer  = "new_peer"      // {days}: not in the baseline
	SuspectMore     = "much_more_out" // {bytes, median, mad}: at least median + 6·MAD and 50 MB
	SuspectVolume   = "volume"        // {bytes_out, bytes_in}: values without a verdict
)

// Reasons of Breakpoint.
const (
	BreakLogsBegin = "break_logs_begin" // {time}
	BreakNoRecord  = "break_no_record"  // {host, since}: the host is under control, and no record shows how
	BreakOutside   = "break_outside"    // {address, name}: an address outside; name may be absent
	BreakVPN       = "break_vpn"        // {account, address}
	BreakCleared   = "break_cleared"    // {host, what}
	BreakSilent    = "break_silent"     // {source, hours}: a source was silent while others were not
)

// Reasons of Separation.
const (
	DisjointPaths = "disjoint_paths" // {root, other}: no path, host or outside address in common
	OtherTime     = "other_time"     // {root, other}
)

// Reasons of covert matters.
const (
	SteadyStream       = "steady_stream"        // {alert, rows, minutes, first, last, also_at}: equal alerts of two machines without a pause
	ServiceUnexplained = "service_unexplained"  // {time, alert}: a service changed once, with nobody logged on, outside maintenance
	OnTheWayOut        = "on_the_way_out"       // {resolver, times}: reports the host's own traffic at the same second
	OddNamesFromStart  = "odd_names_from_start" // {time, resolver, after_s}: names that look like data, when the logs have hardly begun
)

// Codes of Baseline.Note.
const (
	BaselineNone  = "baseline_none"  // {days, log_days}: no history; unusual means unusual among the machines seen
	BaselineShort = "baseline_short" // {days, log_days}: values, no verdict
	BaselineDays  = "baseline_days"  // {days, log_days}
)

// Codes of Incident.Title ("narrate.title.<code>"). All carry {hosts, host}:
// how many machines are under control, and which was entered first ("" unknown).
const (
	TitleRansomware = "ransomware"      // files are encrypted or a note was written
	TitleDestroyed  = "destruction"     // backups or shadow copies destroyed, nothing encrypted yet
	TitleTheft      = "data_theft"      // {bytes}: data left
	TitleSpread     = "spread"          // several machines under control
	TitleWebShell   = "web_shell"       // a web server obeys somebody
	TitleControl    = "control_channel" // a machine calls somebody outside
	TitleIntrusion  = "intrusion"       // one machine, none of the above
	TitleCovert     = "covert_channel"  // {through}: data may leave through a resolver
)

// Codes of Breakpoint.Code (intel.md) that the inference sets. Others follow
// when lists say what an address is.
const (
	BPLogGap    = "BP-LOG-GAP"
	BPLogWipe   = "BP-LOG-WIPE"
	BPNoSensor  = "BP-NO-SENSOR"
	BPVPNVictim = "BP-VPN-VICTIM"
	BPCGNAT     = "BP-CGNAT"
	BPRMM       = "BP-RMM"
	BPUnknown   = "BP-UNK"
)

// Codes of Breakpoint.Next ("narrate.nextstep.<code>").
const (
	NextExtendLogs  = "extend_logs"
	NextRecoverLogs = "recover_logs"
	NextAddSensor   = "add_sensor"
	NextAccount     = "account"
	NextPreserve    = "preserve"
	NextAskProvider = "ask_provider"
)
