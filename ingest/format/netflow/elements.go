// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package netflow

// kind is how the bytes of an element are written as text.
type kind uint8

const (
	unknown kind = iota // a number when it fits in 8 bytes, else hexadecimal
	integer             // unsigned, of any length
	addr                // IPv4 or IPv6
	mac
	octets // hexadecimal
	text
	float
	stamp // NTP time
)

type element struct {
	name string
	kind kind
}

// elements are those of IANA's registry "IPFIX Information Elements" that
// exporters of the three versions send; others are called ieN.
var elements = map[uint16]element{
	1: {"octetDeltaCount", integer}, 2: {"packetDeltaCount", integer}, 3: {"deltaFlowCount", integer}, 4: {"protocolIdentifier", integer},
	5: {"ipClassOfService", integer}, 6: {"tcpControlBits", integer}, 7: {"sourceTransportPort", integer}, 8: {"sourceIPv4Address", addr},
	9: {"sourceIPv4PrefixLength", integer}, 10: {"ingressInterface", integer}, 11: {"destinationTransportPort", integer}, 12: {"destinationIPv4Address", addr},
	13: {"destinationIPv4PrefixLength", integer}, 14: {"egressInterface", integer}, 15: {"ipNextHopIPv4Address", addr}, 16: {"bgpSourceAsNumber", integer},
	17: {"bgpDestinationAsNumber", integer}, 18: {"bgpNextHopIPv4Address", addr}, 19: {"postMCastPacketDeltaCount", integer},
	20: {"postMCastOctetDeltaCount", integer}, 21: {"flowEndSysUpTime", integer}, 22: {"flowStartSysUpTime", integer}, 23: {"postOctetDeltaCount", integer},
	24: {"postPacketDeltaCount", integer}, 25: {"minimumIpTotalLength", integer}, 26: {"maximumIpTotalLength", integer}, 27: {"sourceIPv6Address", addr},
	28: {"destinationIPv6Address", addr}, 29: {"sourceIPv6PrefixLength", integer}, 30: {"destinationIPv6PrefixLength", integer}, 31: {"flowLabelIPv6", integer},
	32: {"icmpTypeCodeIPv4", integer}, 33: {"igmpType", integer}, 34: {"samplingInterval", integer}, 35: {"samplingAlgorithm", integer},
	36: {"flowActiveTimeout", integer}, 37: {"flowIdleTimeout", integer}, 38: {"engineType", integer}, 39: {"engineId", integer},
	40: {"exportedOctetTotalCount", integer}, 41: {"exportedMessageTotalCount", integer}, 42: {"exportedFlowRecordTotalCount", integer},
	44: {"sourceIPv4Prefix", addr}, 45: {"destinationIPv4Prefix", addr}, 46: {"mplsTopLabelType", integer}, 47: {"mplsTopLabelIPv4Address", addr},
	48: {"samplerId", integer}, 49: {"samplerMode", integer}, 50: {"samplerRandomInterval", integer}, 51: {"classId", integer}, 52: {"minimumTTL", integer},
	53: {"maximumTTL", integer}, 54: {"fragmentIdentification", integer}, 55: {"postIpClassOfService", integer}, 56: {"sourceMacAddress", mac},
	57: {"postDestinationMacAddress", mac}, 58: {"vlanId", integer}, 59: {"postVlanId", integer}, 60: {"ipVersion", integer}, 61: {"flowDirection", integer},
	62: {"ipNextHopIPv6Address", addr}, 63: {"bgpNextHopIPv6Address", addr}, 64: {"ipv6ExtensionHeaders", integer},
	70: {"mplsTopLabelStackSection", octets}, 71: {"mplsLabelStackSection2", octets}, 72: {"mplsLabelStackSection3", octets},
	80: {"destinationMacAddress", mac}, 81: {"postSourceMacAddress", mac}, 82: {"interfaceName", text}, 83: {"interfaceDescription", text},
	84: {"samplerName", text}, 85: {"octetTotalCount", integer}, 86: {"packetTotalCount", integer}, 87: {"flagsAndSamplerId", integer},
	88: {"fragmentOffset", integer}, 89: {"forwardingStatus", integer}, 90: {"mplsVpnRouteDistinguisher", octets}, 94: {"applicationDescription", text},
	95: {"applicationId", octets}, 96: {"applicationName", text}, 98: {"postIpDiffServCodePoint", integer}, 99: {"multicastReplicationFactor", integer},
	100: {"className", text}, 128: {"bgpNextAdjacentAsNumber", integer}, 129: {"bgpPrevAdjacentAsNumber", integer}, 130: {"exporterIPv4Address", addr},
	131: {"exporterIPv6Address", addr}, 132: {"droppedOctetDeltaCount", integer}, 133: {"droppedPacketDeltaCount", integer}, 136: {"flowEndReason", integer},
	137: {"commonPropertiesId", integer}, 138: {"observationPointId", integer}, 139: {"icmpTypeCodeIPv6", integer}, 141: {"lineCardId", integer},
	142: {"portId", integer}, 143: {"meteringProcessId", integer}, 144: {"exportingProcessId", integer}, 145: {"templateId", integer}, 147: {"wlanSSID", text},
	148: {"flowId", integer}, 149: {"observationDomainId", integer}, 150: {"flowStartSeconds", integer}, 151: {"flowEndSeconds", integer},
	152: {"flowStartMilliseconds", integer}, 153: {"flowEndMilliseconds", integer}, 154: {"flowStartMicroseconds", stamp}, 155: {"flowEndMicroseconds", stamp},
	156: {"flowStartNanoseconds", stamp}, 157: {"flowEndNanoseconds", stamp}, 158: {"flowStartDeltaMicroseconds", integer},
	159: {"flowEndDeltaMicroseconds", integer}, 160: {"systemInitTimeMilliseconds", integer}, 161: {"flowDurationMilliseconds", integer},
	162: {"flowDurationMicroseconds", integer}, 163: {"observedFlowTotalCount", integer}, 164: {"ignoredPacketTotalCount", integer},
	165: {"ignoredOctetTotalCount", integer}, 166: {"notSentFlowTotalCount", integer}, 173: {"flowKeyIndicator", integer}, 176: {"icmpTypeIPv4", integer},
	177: {"icmpCodeIPv4", integer}, 178: {"icmpTypeIPv6", integer}, 179: {"icmpCodeIPv6", integer}, 180: {"udpSourcePort", integer},
	181: {"udpDestinationPort", integer}, 182: {"tcpSourcePort", integer}, 183: {"tcpDestinationPort", integer}, 184: {"tcpSequenceNumber", integer},
	185: {"tcpAcknowledgementNumber", integer}, 186: {"tcpWindowSize", integer}, 189: {"ipHeaderLength", integer}, 190: {"totalLengthIPv4", integer},
	191: {"payloadLengthIPv6", integer}, 192: {"ipTTL", integer}, 193: {"nextHeaderIPv6", integer}, 195: {"ipDiffServCodePoint", integer},
	196: {"ipPrecedence", integer}, 197: {"fragmentFlags", integer}, 206: {"isMulticast", integer}, 207: {"ipv4IHL", integer}, 210: {"paddingOctets", octets},
	211: {"collectorIPv4Address", addr}, 212: {"collectorIPv6Address", addr}, 213: {"exportInterface", integer}, 214: {"exportProtocolVersion", integer},
	215: {"exportTransportProtocol", integer}, 216: {"collectorTransportPort", integer}, 217: {"exporterTransportPort", integer}, 218: {"tcpSynTotalCount", integer},
	219: {"tcpFinTotalCount", integer}, 220: {"tcpRstTotalCount", integer}, 221: {"tcpPshTotalCount", integer}, 222: {"tcpAckTotalCount", integer},
	223: {"tcpUrgTotalCount", integer}, 224: {"ipTotalLength", integer}, 225: {"postNATSourceIPv4Address", addr}, 226: {"postNATDestinationIPv4Address", addr},
	227: {"postNAPTSourceTransportPort", integer}, 228: {"postNAPTDestinationTransportPort", integer}, 229: {"natOriginatingAddressRealm", integer},
	230: {"natEvent", integer}, 231: {"initiatorOctets", integer}, 232: {"responderOctets", integer}, 233: {"firewallEvent", integer}, 234: {"ingressVRFID", integer},
	235: {"egressVRFID", integer}, 236: {"VRFname", text}, 239: {"biflowDirection", integer}, 243: {"dot1qVlanId", integer}, 244: {"dot1qPriority", integer},
	245: {"dot1qCustomerVlanId", integer}, 252: {"ingressPhysicalInterface", integer}, 253: {"egressPhysicalInterface", integer}, 254: {"postDot1qVlanId", integer},
	256: {"ethernetType", integer}, 258: {"collectionTimeMilliseconds", integer}, 277: {"observationPointType", integer}, 278: {"newConnectionDeltaCount", integer},
	279: {"connectionSumDurationSeconds", integer}, 280: {"connectionTransactionId", integer}, 281: {"postNATSourceIPv6Address", addr},
	282: {"postNATDestinationIPv6Address", addr}, 283: {"natPoolId", integer}, 284: {"natPoolName", text}, 298: {"initiatorPackets", integer},
	299: {"responderPackets", integer}, 300: {"observationDomainName", text}, 301: {"selectionSequenceId", integer}, 302: {"selectorId", integer},
	303: {"informationElementId", integer}, 304: {"selectorAlgorithm", integer}, 305: {"samplingPacketInterval", integer}, 306: {"samplingPacketSpace", integer},
	307: {"samplingTimeInterval", integer}, 308: {"samplingTimeSpace", integer}, 309: {"samplingSize", integer}, 310: {"samplingPopulation", integer},
	311: {"samplingProbability", float}, 322: {"observationTimeSeconds", integer}, 323: {"observationTimeMilliseconds", integer},
	324: {"observationTimeMicroseconds", stamp}, 325: {"observationTimeNanoseconds", stamp}, 361: {"portRangeStart", integer}, 362: {"portRangeEnd", integer},
	363: {"portRangeStepSize", integer}, 364: {"portRangeNumPorts", integer}, 371: {"userName", text},
	// Cisco ASA (NSEL, version 9).
	33000: {"ingressACL", octets}, 33001: {"egressACL", octets}, 33002: {"extendedFirewallEvent", integer}, 40000: {"userName", text},
	40001: {"postNATSourceIPv4Address", addr}, 40002: {"postNATDestinationIPv4Address", addr},
	40003: {"postNAPTSourceTransportPort", integer}, 40004: {"postNAPTDestinationTransportPort", integer}, 40005: {"firewallEvent", integer},
}
