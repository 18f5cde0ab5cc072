// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package auditd

// typeNames are the names of record types that the kernel writes as numbers
// (include/uapi/linux/audit.h, and libaudit.h for 1100 to 1299 and 2000 on).
var typeNames = map[string]string{
	"1100": "USER_AUTH", "1101": "USER_ACCT", "1102": "USER_MGMT", "1103": "CRED_ACQ", "1104": "CRED_DISP", "1105": "USER_START", "1106": "USER_END",
	"1107": "USER_AVC", "1108": "USER_CHAUTHTOK", "1109": "USER_ERR", "1110": "CRED_REFR", "1112": "USER_LOGIN", "1113": "USER_LOGOUT",
	"1114": "ADD_USER", "1115": "DEL_USER", "1116": "ADD_GROUP", "1117": "DEL_GROUP", "1123": "USER_CMD", "1124": "USER_TTY",
	"1127": "SYSTEM_BOOT", "1128": "SYSTEM_SHUTDOWN", "1130": "SERVICE_START", "1131": "SERVICE_STOP",
	"1300": "SYSCALL", "1302": "PATH", "1303": "IPC", "1304": "SOCKETCALL", "1305": "CONFIG_CHANGE", "1306": "SOCKADDR", "1307": "CWD", "1309": "EXECVE",
	"1318": "OBJ_PID", "1319": "TTY", "1320": "EOE", "1321": "BPRM_FCAPS", "1325": "NETFILTER_CFG", "1326": "SECCOMP", "1327": "PROCTITLE",
	"1330": "KERN_MODULE", "1334": "BPF", "1400": "AVC", "1403": "MAC_POLICY_LOAD", "1404": "MAC_STATUS",
	"1700": "ANOM_PROMISCUOUS", "1701": "ANOM_ABEND", "1702": "ANOM_LINK", "2000": "KERNEL", "2404": "CRYPTO_KEY_USER",
}

// syscallName names a system call where auditd did not. Only the calls that
// rules and the view ask for are here (syscall_64.tbl and the generic table of
// the kernel); others stay numbers.
func syscallName(arch, n string) string {
	switch arch {
	case "c000003e":
		return x86[n]
	case "c00000b7":
		return arm64[n]
	}
	return ""
}

var x86 = map[string]string{
	"0": "read", "1": "write", "2": "open", "41": "socket", "42": "connect", "43": "accept", "49": "bind", "50": "listen", "56": "clone", "57": "fork", "59": "execve",
	"62": "kill", "76": "truncate", "82": "rename", "83": "mkdir", "84": "rmdir", "85": "creat", "86": "link", "87": "unlink", "88": "symlink",
	"90": "chmod", "91": "fchmod", "92": "chown", "93": "fchown", "101": "ptrace", "103": "syslog", "105": "setuid", "106": "setgid", "113": "setreuid", "117": "setresuid",
	"133": "mknod", "155": "pivot_root", "157": "prctl", "159": "adjtimex", "161": "chroot", "164": "settimeofday", "165": "mount", "166": "umount2",
	"169": "reboot", "170": "sethostname", "171": "setdomainname", "175": "init_module", "176": "delete_module", "188": "setxattr", "197": "removexattr",
	"246": "kexec_load", "257": "openat", "258": "mkdirat", "259": "mknodat", "263": "unlinkat", "264": "renameat", "268": "fchmodat", "272": "unshare",
	"288": "accept4", "308": "setns", "310": "process_vm_readv", "311": "process_vm_writev", "313": "finit_module", "316": "renameat2", "319": "memfd_create",
	"320": "kexec_file_load", "321": "bpf", "322": "execveat", "435": "clone3", "437": "openat2",
}

var arm64 = map[string]string{
	"33": "mknodat", "34": "mkdirat", "35": "unlinkat", "38": "renameat", "39": "umount2", "40": "mount", "41": "pivot_root", "45": "truncate", "51": "chroot",
	"53": "fchmodat", "54": "fchownat", "56": "openat", "63": "read", "64": "write", "97": "unshare", "104": "kexec_load", "105": "init_module",
	"106": "delete_module", "116": "syslog", "117": "ptrace", "129": "kill", "142": "reboot", "144": "setgid", "146": "setuid", "147": "setresuid", "161": "sethostname",
	"167": "prctl", "198": "socket", "200": "bind", "201": "listen", "202": "accept", "203": "connect", "220": "clone", "221": "execve", "268": "setns",
	"273": "finit_module", "276": "renameat2", "279": "memfd_create", "280": "bpf", "281": "execveat", "294": "kexec_file_load", "435": "clone3", "437": "openat2",
}
