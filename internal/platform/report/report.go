package report

import (
	"time"
)

// Root is the parent path of all documents, and the non-resource URL for which a client needs the get permission.
const Root = "/report/v1"

// Paths of the documents below Root. The path of an object is ObjectsPath + "<kind>/<namespace>/<name>".
const (
	ProxiesPath    = Root + "/proxies"
	RejectionsPath = Root + "/rejections"
	ChangesPath    = Root + "/changes"
	LoadsPath      = Root + "/loads"
	DenialsPath    = Root + "/denials"
	ObjectsPath    = Root + "/objects/"
)

// Proxies are the sidecars that are connected to a replica.
type Proxies struct {
	// Authority is the certificate authority of the replica. It is nil while the trust bundle is unknown.
	Authority *Authority `json:"authority,omitempty"`
	Counts    Counts     `json:"counts"`
	// Proxies are sorted by namespace and pod.
	Proxies []Proxy `json:"proxies"`
}

// Authority is the certificate authority that a replica uses. Certificates are identified by short hashes.
type Authority struct {
	// Issuer is the certificate that issues certificates from now on.
	Issuer string `json:"issuer"`
	// Trusted are the certificates in the trust bundle of the sidecars. A sidecar has them if its secrets (SDS) are up to date.
	Trusted []string `json:"trusted"`
	// TrustDomain is the trust domain of new certificates. ClientTrustDomains are accepted from clients, and ServerTrustDomains of servers.
	TrustDomain        string   `json:"trustDomain,omitempty"`
	ClientTrustDomains []string `json:"clientTrustDomains,omitempty"`
	ServerTrustDomains []string `json:"serverTrustDomains,omitempty"`
	// Since is the time from which the configuration of all sidecars includes Trusted and the trust domains.
	Since time.Time `json:"since"`
	// Failure is nil if the latest certificate of a workload could be issued.
	Failure *IssuanceFailure `json:"failure,omitempty"`
}

// IssuanceFailure describes certificates of workloads that a replica cannot issue.
type IssuanceFailure struct {
	// Since is when the first attempt failed.
	Since time.Time `json:"since"`
	// Error is the error of the latest attempt.
	Error string `json:"error"`
}

// Counts are numbers of connected sidecars. Each sidecar is counted as exactly one of UpToDate, Behind and Rejecting. A pod counts once, also
// while it has two Envoys.
type Counts struct {
	Connected int `json:"connected"`
	// UpToDate is the number of sidecars that have acknowledged their current configuration.
	UpToDate int `json:"upToDate"`
	// Behind is the number of sidecars with unacknowledged configuration.
	Behind int `json:"behind"`
	// Rejecting is the number of sidecars that rejected configuration or are not served.
	Rejecting int `json:"rejecting"`
}

// Plus returns the sum of two counts.
func (c Counts) Plus(other Counts) Counts {
	return Counts{
		Connected: c.Connected + other.Connected, UpToDate: c.UpToDate + other.UpToDate,
		Behind: c.Behind + other.Behind, Rejecting: c.Rejecting + other.Rejecting,
	}
}

// Proxy is a connected Envoy. A pod has two while one of them takes over from the other.
type Proxy struct {
	Namespace      string `json:"namespace"`
	Pod            string `json:"pod"`
	UID            string `json:"uid"`
	ServiceAccount string `json:"serviceAccount"`
	// Revision is the MeshRevision whose injector injected the sidecar. It is empty if unknown.
	Revision string `json:"revision,omitempty"`
	// OnDemand is true if the sidecar loads its destinations at first use.
	OnDemand bool `json:"onDemand,omitempty"`
	// OSM is true for a sidecar of Open Service Mesh.
	OSM bool `json:"osm,omitempty"`
	// Destinations counts what a sidecar on demand has loaded; nil for nothing, and from replicas before v0.6.
	Destinations *Destinations `json:"destinations,omitempty"`
	// Envoy is the Envoy release and Bootstrap the bootstrap version that the sidecar reports. They are empty if it reports none.
	Envoy     string `json:"envoy,omitempty"`
	Bootstrap string `json:"bootstrap,omitempty"`
	// Slot is the container of the Envoy, in a pod with two of them. Epoch grows each time that an Envoy of the pod takes over. Complete is true once the
	// Envoy has had its whole configuration. Replicas before v0.5 omit all three.
	Slot     string `json:"slot,omitempty"`
	Epoch    uint64 `json:"epoch,omitempty"`
	Complete bool   `json:"complete,omitempty"`
	// Unserved is the reason why the sidecar is connected but receives no configuration. It is empty for a served sidecar.
	Unserved  string    `json:"unserved,omitempty"`
	Connected time.Time `json:"connected"`
	// UsesCertificates is true if the sidecar requests certificates. One without TLS connections does not.
	UsesCertificates bool `json:"usesCertificates,omitempty"`
	// AwaitsCertificate is true if the sidecar requests certificates and has never had one, for example because the issuer does not answer.
	AwaitsCertificate bool `json:"awaitsCertificate,omitempty"`
	// CertificateEnd is the expiry of the acknowledged certificate. It is nil if the sidecar has acknowledged none.
	CertificateEnd *time.Time `json:"certificateEnd,omitempty"`
	// CertificateIssuer identifies the issuer of the acknowledged certificate, like Authority.Issuer.
	CertificateIssuer string `json:"certificateIssuer,omitempty"`
	// CertificateTrustDomain is the trust domain of the workload in the acknowledged certificate.
	CertificateTrustDomain string `json:"certificateTrustDomain,omitempty"`
	// Types is the state by discovery service: CDS, EDS, LDS, RDS, SDS and ECDS.
	Types map[string]Type `json:"types,omitempty"`
}

// Destinations are numbers of destinations that a sidecar has asked for, or got at its start.
type Destinations struct {
	// Loaded is how many exist, and Unknown how many do not, and fail requests at once.
	Loaded  int `json:"loaded"`
	Unknown int `json:"unknown,omitempty"`
	// Forgotten is how many unknown ones the sidecar has lost for others since it connected. Requests to them wait until they fail, or until the destination
	// exists.
	Forgotten int `json:"forgotten,omitempty"`
}

// Counts returns the counts of this Envoy only. CountPods counts several.
func (p Proxy) Counts() Counts {
	rejecting, behind := p.Unserved != "", false
	for _, t := range p.Types {
		rejecting = rejecting || t.Rejection != ""
		behind = behind || t.Behind != nil
	}
	counts := Counts{Connected: 1}
	switch {
	case rejecting:
		counts.Rejecting = 1
	case behind:
		counts.Behind = 1
	default:
		counts.UpToDate = 1
	}
	return counts
}

// Type is the state of one resource type of a sidecar. Its counts are responses since the connection started.
type Type struct {
	// Version is the version of the desired resources of the type. It is equal for equal configuration in all replicas. It is empty
	// for endpoints, which have individual versions.
	Version  string `json:"version,omitempty"`
	Sent     uint64 `json:"sent"`
	Accepted uint64 `json:"accepted"`
	Rejected uint64 `json:"rejected"`
	// Behind is the start time of the oldest unacknowledged change of the type. It is nil if the sidecar is up to date.
	Behind *time.Time `json:"behind,omitempty"`
	// Rejection is the error text of the sidecar for rejected resources.
	Rejection string `json:"rejection,omitempty"`
}

// Object is the propagation of the current version of a policy to the sidecars of a replica.
type Object struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Generation is the metadata.generation of this version. It is 0 if unknown.
	Generation int64 `json:"generation,omitempty"`
	// Changed is the time when the replica received the current version.
	Changed time.Time `json:"changed"`
	// Sidecars is the number of sidecars that the policy affects. Those that are neither Acknowledged nor Rejected have not responded. Both Envoys of
	// a pod count, because the policy is in force when both have acknowledged it.
	Sidecars     int `json:"sidecars"`
	Acknowledged int `json:"acknowledged"`
	Rejected     int `json:"rejected"`
	// RespondedAt is the time when all connected sidecars had responded.
	RespondedAt *time.Time `json:"settled,omitempty"`
	// Laggards are examples of sidecars that have not responded, as "<namespace>/<pod>".
	Laggards []string `json:"laggards,omitempty"`
}

// Rejections are the causes why policies are not in force: policies that a replica quarantines for some sidecars, because one of them
// rejected the resulting configuration; servers that do not answer; and policies with too many routes.
type Rejections struct {
	Rejections []Rejection `json:"rejections"`
	// Failures are the servers that do not answer sidecars.
	Failures []ServerFailure `json:"failures,omitempty"`
	// Limited are the policies with more routes than a sidecar or the egress gateway can have.
	Limited []LimitedPolicy `json:"limited,omitempty"`
}

// LimitedPolicy is a policy that is not complete in the configuration of some sidecars, because of the limit of routes.
type LimitedPolicy struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// ServiceAccounts ("<namespace>/<name>") are some of the service accounts of these sidecars, sorted, and More is the number of others.
	// Without any, all clients of the mesh are affected.
	ServiceAccounts []string `json:"serviceAccounts,omitempty"`
	More            int      `json:"more,omitempty"`
}

// ServerFailure is an authorization server or a rate limit service that does not answer the sidecars of a service account.
type ServerFailure struct {
	// Cluster is the Envoy cluster of the server. Policy ("<namespace>/<name>") is the ExternalAuthorization that names the server, if any.
	Cluster string `json:"cluster"`
	Policy  string `json:"policy,omitempty"`
	// ServiceAccount ("<namespace>/<name>") is the service account of the sidecars.
	ServiceAccount string `json:"serviceAccount"`
	// Sidecars is the number of sidecars without an answer. The first of them reported it at Since.
	Sidecars int       `json:"sidecars"`
	Since    time.Time `json:"since"`
}

// Rejection is a policy that is quarantined for the sidecars of a service account until it changes.
type Rejection struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// ServiceAccount ("<namespace>/<name>") is the service account of the affected sidecars. Pod ("<namespace>/<name>") is the pod of
	// the sidecar that rejected the configuration.
	ServiceAccount string `json:"serviceAccount"`
	Pod            string `json:"pod"`
	// Type and Resource identify the rejected resource. Text is the error text of the sidecar.
	Type     string    `json:"type"`
	Resource string    `json:"resource"`
	Text     string    `json:"text"`
	At       time.Time `json:"at"`
}

// Error is the document of a response with a status other than 200.
type Error struct {
	// Error is the error message.
	Error string `json:"error"`
}

// HandoversPath is the path of Handovers.
const HandoversPath = Root + "/takeovers"

// FirstEpoch is the epoch of the first Envoy of a pod, which has taken over from no other.
const FirstEpoch = 1

// Handovers are the Envoys of a replica that have taken over from another one of their pod, or are about to. The Envoys of a pod may be connected to different
// replicas, and the replica of the one that drains has to know that it does.
type Handovers struct {
	// Epochs has the highest epoch of the Envoys that have had their whole configuration, by the UID of the pod. Pods whose Envoy is the first one are omitted.
	Epochs map[string]uint64 `json:"epochs,omitempty"`
}
