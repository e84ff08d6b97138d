package peers

import "github.com/openservicemesh/osm-operator/internal/mesh/kinds"

// Reasons in conditions of MeshPeers. Connected also has the reasons for which streams end, see package peering.
const (
	ReasonAccepted = kinds.ReasonAccepted
	// ReasonSharedTrustDomain means that accounts of the peer could have the names of accounts of this mesh, or of an older peer.
	ReasonSharedTrustDomain = "SharedTrustDomain"
	// ReasonTooManyPeers means that there are catalog.MaxPeers older peers.
	ReasonTooManyPeers = "TooManyPeers"
	// ReasonExportsLimited means that limits omit a part of what the peer is offered.
	ReasonExportsLimited = "ExportsLimited"
	// ReasonInvalidGateways means that an address in spec.gateways is no IP address and no DNS name.
	ReasonInvalidGateways = "InvalidGateways"
	// ReasonInvalidRoots means that spec.trust.caBundle cannot be read.
	ReasonInvalidRoots = "InvalidRoots"
	// ReasonRootsExpired means that no root of the peer is valid.
	ReasonRootsExpired = "RootsExpired"
	// ReasonRootsExpireSoon means that the last valid root of the peer expires soon.
	ReasonRootsExpireSoon = "RootsExpireSoon"
	ReasonTrusted         = "Trusted"
	ReasonConnected       = "Connected"
	// ReasonRecordsRejected means that the control planes are connected, and that records of the peer are not accepted.
	ReasonRecordsRejected = "RecordsRejected"
	// ReasonConnecting means that the first attempt to connect has no result yet.
	ReasonConnecting = "Connecting"
	// ReasonNotAccepted means that the MeshPeer is not accepted.
	ReasonNotAccepted = "NotAccepted"
	// ReasonNotConnected means that the peer is not connected, or has never been.
	ReasonNotConnected = "NotConnected"
	// ReasonVersionsDiffer means that the control planes are more than one minor version apart.
	ReasonVersionsDiffer = "VersionsDiffer"
	ReasonCompatible     = "Compatible"
	// ReasonRootsFollowed means that roots are trusted that the MeshPeer does not declare.
	ReasonRootsFollowed = "RootsFollowed"
	// ReasonRootsNotFollowed means that only declared roots are trusted, although the peer has others.
	ReasonRootsNotFollowed = "RootsNotFollowed"
)

// Conditions of ServiceExports and ServiceImports. Their types, and the reasons Valid, NoService, Exported and Ready, are those of SIG Multicluster.
const (
	ConditionValid = "Valid"
	ConditionReady = "Ready"
	// ConditionStale is True while the peer of a ServiceImport is not connected. It does not exist otherwise.
	ConditionStale = "Stale"
	// ConditionAddressesDiffer is True while a ServiceImport has addresses that are not those of its Service. It does not exist otherwise.
	ConditionAddressesDiffer = "AddressesDiffer"

	ReasonValid    = "Valid"
	ReasonReady    = "Ready"
	ReasonExported = "Exported"
	// ReasonNoService means that no Service of the mesh has the name of the ServiceExport.
	ReasonNoService = "NoService"
	// ReasonInvalidLabel means that the label openservicemesh.io/peer cannot be the name of a MeshPeer.
	ReasonInvalidLabel = "InvalidLabel"
	// ReasonInvalidAnnotation means that an annotation that joins the Service of a peer with pods of this mesh cannot be used.
	ReasonInvalidAnnotation = "InvalidAnnotation"
	// ReasonUnknownPeer means that there is no MeshPeer of the name that is accepted.
	ReasonUnknownPeer = "UnknownPeer"
	// ReasonNoTrafficTarget means that no policy admits an account of a peer.
	ReasonNoTrafficTarget = "NoTrafficTarget"
	// ReasonNotExported means that the peer does not offer the Service to this mesh.
	ReasonNotExported = "NotExported"
	// ReasonServiceMissing means that no Service of the mesh has the name of the ServiceImport.
	ReasonServiceMissing = "ServiceMissing"
	// ReasonServiceHasSelector means that the Service of the ServiceImport has pods in this mesh, and that no annotation joins them.
	ReasonServiceHasSelector = "ServiceHasSelector"
	// ReasonServiceHeadless means that the Service of the peer cannot be joined with a headless one.
	ReasonServiceHeadless = "ServiceHeadless"
	// ReasonNotOfService means that spec.ips of a ServiceImport has addresses that are not those of its Service.
	ReasonNotOfService = "NotOfService"
	// ReasonPortMismatch means that ports of the Service are not ports of that of the peer.
	ReasonPortMismatch = "PortMismatch"
	// ReasonNoReadyPod means that no pod behind the Service of the peer accepts connections.
	ReasonNoReadyPod = "NoReadyPod"
)
