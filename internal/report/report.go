package report

import "time"

// Root is the path that everything is served under, and the non-resource URL that a client needs the permission to get.
const Root = "/report/v1"

// Paths of documents below Root. An object is at ObjectsPath + "<kind>/<namespace>/<name>".
const (
	ProxiesPath    = Root + "/proxies"
	RejectionsPath = Root + "/rejections"
	ChangesPath    = Root + "/changes"
	LoadsPath      = Root + "/loads"
	ObjectsPath    = Root + "/objects/"
)

// Proxies are the sidecars that are connected to a replica.
type Proxies struct {
	Counts Counts `json:"counts"`
	// Proxies are sorted by namespace and pod.
	Proxies []Proxy `json:"proxies"`
}

// Counts are numbers of connected sidecars. Each is UpToDate, Behind or Rejecting, never two of them.
type Counts struct {
	Connected int `json:"connected"`
	// UpToDate have accepted everything that they should have.
	UpToDate int `json:"upToDate"`
	// Behind have not answered everything yet.
	Behind int `json:"behind"`
	// Rejecting do not use something that they were sent, or cannot be sent anything.
	Rejecting int `json:"rejecting"`
}

// Plus adds counts.
func (c Counts) Plus(other Counts) Counts {
	return Counts{
		Connected: c.Connected + other.Connected, UpToDate: c.UpToDate + other.UpToDate,
		Behind: c.Behind + other.Behind, Rejecting: c.Rejecting + other.Rejecting,
	}
}

// Proxy is a connected sidecar.
type Proxy struct {
	Namespace      string `json:"namespace"`
	Pod            string `json:"pod"`
	UID            string `json:"uid"`
	ServiceAccount string `json:"serviceAccount"`
	// Revision is the MeshRevision whose injector made the sidecar; empty when that is not known.
	Revision string `json:"revision,omitempty"`
	// Envoy is the release of its Envoy, and Bootstrap the version of what that was started from, as the sidecar says; empty when it
	// does not.
	Envoy     string `json:"envoy,omitempty"`
	Bootstrap string `json:"bootstrap,omitempty"`
	// Unserved says why the sidecar is connected and sent nothing; empty when it is served.
	Unserved  string    `json:"unserved,omitempty"`
	Connected time.Time `json:"connected"`
	// CertificateEnd is when the sidecar's certificate expires, of those that it has acknowledged; nil when it has none yet.
	CertificateEnd *time.Time `json:"certificateEnd,omitempty"`
	// Types says how far the sidecar is, by discovery service: CDS, EDS, LDS, RDS, SDS and ECDS.
	Types map[string]Type `json:"types,omitempty"`
}

// Counts are those of this sidecar alone.
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

// Type is how far a sidecar is with one type of resources. Counts are of responses since it connected.
type Type struct {
	// Version is that of everything the sidecar should have of the type: equal for equal configuration in all replicas. Empty
	// for endpoints, which have a version each.
	Version  string `json:"version,omitempty"`
	Sent     uint64 `json:"sent"`
	Accepted uint64 `json:"accepted"`
	Rejected uint64 `json:"rejected"`
	// Behind is since when the sidecar lacks something of the type.
	Behind *time.Time `json:"behind,omitempty"`
	// Rejection is the sidecar's own text about what it was sent and does not use.
	Rejection string `json:"rejection,omitempty"`
}

// Object is how far the sidecars of a replica are with the current version of a policy.
type Object struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Generation is the metadata.generation of the version that the replica speaks of; 0 when it is not known.
	Generation int64 `json:"generation,omitempty"`
	// Changed is when the replica took in the current version.
	Changed time.Time `json:"changed"`
	// Sidecars are those that the policy concerns. Acknowledged and Rejected are parts of them; the rest has not answered.
	Sidecars     int `json:"sidecars"`
	Acknowledged int `json:"acknowledged"`
	Rejected     int `json:"rejected"`
	// Settled is when all sidecars that were connected then had answered.
	Settled *time.Time `json:"settled,omitempty"`
	// Laggards are some of those that have not answered, "<namespace>/<pod>".
	Laggards []string `json:"laggards,omitempty"`
}

// Rejections are the policies that a replica withholds from some sidecars, because one of them rejected what came of it.
type Rejections struct {
	Rejections []Rejection `json:"rejections"`
}

// Rejection is one policy that is withheld from one kind of sidecars until it changes.
type Rejection struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// ServiceAccount ("<namespace>/<name>") is that of the sidecars which the policy is withheld from, and Pod
	// ("<namespace>/<name>") the one that rejected.
	ServiceAccount string `json:"serviceAccount"`
	Pod            string `json:"pod"`
	// Type and Resource name what it rejected, and Text is its own reason.
	Type     string    `json:"type"`
	Resource string    `json:"resource"`
	Text     string    `json:"text"`
	At       time.Time `json:"at"`
}

// Error is the document of an answer that is not 200.
type Error struct {
	// Error is a sentence.
	Error string `json:"error"`
}
