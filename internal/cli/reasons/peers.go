package reasons

const (
	meshPeers = "MeshPeer"
	exports   = "ServiceExport"
	imports   = "ServiceImport"
	consents  = "ServiceExport, ServiceImport"
)

// ofPeers returns the reasons of MeshPeers, and of what is exported to peers and imported from them.
func ofPeers() []Reason {
	return []Reason{
		{"SharedTrustDomain", meshPeers, "Accounts of the peer could have the names of accounts of this mesh, or of an older MeshPeer: move one of the two meshes to another trust domain."},
		{"TooManyPeers", meshPeers, "A mesh has at most 16 peers, and the oldest count: delete a MeshPeer."},
		{"InvalidGateways", meshPeers, "An address in spec.gateways is no IP address and no DNS name, so the peer is not accepted: correct it."},
		{"InvalidRoots", meshPeers, "spec.trust.caBundle is no list of 1 to 8 authorities in PEM: write the output of `osm peer show` of the other mesh."},
		{"RootsExpired", meshPeers, "No root of the peer is valid now: commit the output of `osm peer show` of the other mesh."},
		{"RootsExpireSoon", meshPeers, "The last valid root of the peer expires within 30 days: the other mesh needs a new one, and this one then its declaration."},
		{"RootsFollowed", meshPeers, "The peer has changed its roots, which are trusted until the time in the message: commit the output of `osm peer show` of the other mesh before."},
		{"RootsNotFollowed", meshPeers, "The peer has other roots than its MeshPeer declares, and only the declared ones are trusted: commit the output of `osm peer show` of the other mesh."},
		{"NotAccepted", meshPeers, "There is no connection, because the MeshPeer is not accepted: see its condition Accepted."},
		{"Connecting", meshPeers, "The first attempt to connect has no result yet."},
		{"NotConnected", meshPeers + ", " + imports, "The control planes of the two meshes are not connected, or never were. What the peer last said remains in force."},
		{"Unreachable", meshPeers, "There is no connection to the control plane of the peer, or it ended: check spec.gateways, the peer gateways of both meshes, and that each declares the present roots of the other."},
		{"NoAnswer", meshPeers, "The control plane of the peer sends or reads nothing for too long."},
		{"ProtocolError", meshPeers, "The control plane of the peer does not follow the protocol: upgrade the older of the two meshes."},
		{"MessageTooLarge", meshPeers, "The control plane of the peer has sent more than a message may have: upgrade the older of the two meshes."},
		{"RecordsRejected", meshPeers, "Records of the peer are not accepted, and the earlier ones remain in force: the message has their number by reason, and the first of each."},
		{"VersionsDiffer", meshPeers, "The versions of the control planes are more than one minor version apart: upgrade the older of the two meshes."},
		{"ExportsLimited", meshPeers + ", " + exports, "Limits omit a part of what a peer is offered: the message has the numbers. Delete ServiceExports, or admit fewer accounts."},
		{"InvalidLabel", consents, "The label openservicemesh.io/peer cannot be the name of a MeshPeer: correct it."},
		{"UnknownPeer", consents, "The MeshPeer of the label openservicemesh.io/peer does not exist, or is not accepted: create it, correct the label, or see its status."},
		{"NoService", exports, "No Service of the mesh has the name of the ServiceExport: create it, or delete the ServiceExport."},
		{"NoTrafficTarget", exports, "No TrafficTarget admits an account of a peer to the Service, so no peer sees it: write one with a source of the kind PeerServiceAccount."},
		{"NotExported", "policies, " + imports, "A Service is not exported to the mesh that should call it, or no account of that mesh is admitted: create a ServiceExport and a TrafficTarget in the mesh that has its pods."},
		{"ServiceMissing", imports, "No Service of the mesh has the name of the ServiceImport, so workloads cannot call it: apply the output of `osm peer import`."},
		{"ServiceHasSelector", imports, "The Service of a ServiceImport selects pods, so its requests do not go to the peer: remove spec.selector, or join both by the annotation openservicemesh.io/peer-join."},
		{"ServiceHeadless", imports, "Clients of a headless Service choose their pod, so the Service of a peer cannot be joined with it: remove the annotation, or give the Service a cluster IP."},
		{"NotOfService", imports, "spec.ips of a ServiceImport has addresses that are not those of its Service, so sidecars do not send connections to them to the peer: write those of the Service, or none."},
		{"PortMismatch", imports, "Ports of the Service are not ports that the peer offers: use those in the message."},
		{"NoReadyPod", imports, "No pod behind the Service of the peer accepts connections."},
	}
}
