package page

import (
	"time"

	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// State is what the page shows.
type State struct {
	Mesh Mesh `json:"mesh"`
	// At is when the state was read.
	At time.Time `json:"at"`
	// Problems are parts that could not be read. The others are shown.
	Problems []string `json:"problems"`
	// Nodes and Edges are the graph of the traffic.
	Nodes []Node `json:"nodes"`
	Edges []Edge `json:"edges"`
	// Denials are what policies denied, those of the last minute first. It is nil if the replicas do not report them.
	Denials []report.Denial `json:"denials"`
	// Sources are where rates and latencies come from, in words.
	Sources []string `json:"sources"`
	// Latencies is which requests latencies come from, in words; empty if it is all.
	Latencies    string        `json:"latencies"`
	Sidecars     []Sidecar     `json:"sidecars"`
	Policies     []Policy      `json:"policies"`
	Certificates []Certificate `json:"certificates"`
	// Changes are the latest changes of the configuration, the latest first.
	Changes []Change `json:"changes"`
	// Rollout is the upgrade in progress; nil without one.
	Rollout *Rollout `json:"rollout"`
}

// Mesh is the summary of a mesh.
type Mesh struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	Version   string `json:"version"`
	// Ready is True, False or Unknown, with the reason and the message of the condition.
	Ready   string `json:"ready"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
	// Settings is nil if they cannot be read.
	Settings   *Settings   `json:"settings"`
	Members    []string    `json:"members"`
	Conditions []Condition `json:"conditions"`
}

// Condition is a condition of the Mesh.
type Condition struct {
	Type    string `json:"type"`
	Status  string `json:"status"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// Kinds of nodes.
const (
	// Workload is a service account, which is the identity of its pods.
	Workload = "workload"
	Service  = "service"
	// Outside is a destination outside the mesh.
	Outside = "outside"
)

// Node is a node of the graph.
type Node struct {
	ID   string `json:"id"`
	Kind string `json:"kind"`
	// Name is "<namespace>/<name>", or a host.
	Name     string `json:"name"`
	Sidecars int    `json:"sidecars,omitempty"`
	// Denied is true for a client that was denied something in the last minute.
	Denied bool `json:"denied,omitempty"`
}

// Edge is traffic from a workload to a Service, or connects a Service with the workloads behind it.
type Edge struct {
	From string `json:"from"`
	To   string `json:"to"`
	// Backs is true from a Service to a workload behind it. Such an edge has no numbers.
	Backs bool `json:"backs,omitempty"`
	// Port is the port of the Service.
	Port string `json:"port,omitempty"`
	// MTLS is true if the connection is encrypted and both sides present a certificate of the mesh.
	MTLS bool `json:"mtls"`
	// Rate is the number of requests or, for TCP, of connections per second.
	Rate float64 `json:"rate"`
	// Success is the share of responses with a status below 500, from 0 to 1; nil for TCP and without responses.
	Success *float64 `json:"success"`
	// P50 and P99 are the latencies of 50 and 99 percent of the requests in milliseconds; nil if they are unknown.
	P50 *float64 `json:"p50"`
	P99 *float64 `json:"p99"`
	// Denied is the number of denials per second, and Denials their number. Reasons are why, sorted.
	Denied  float64  `json:"denied,omitempty"`
	Denials uint64   `json:"denials,omitempty"`
	Reasons []string `json:"reasons,omitempty"`
}

// Sidecar is a sidecar with its configuration status.
type Sidecar struct {
	Namespace string `json:"namespace"`
	Pod       string `json:"pod"`
	// Slot is the container of the sidecar in a pod that has two; empty in others.
	Slot           string     `json:"slot,omitempty"`
	ServiceAccount string     `json:"serviceAccount"`
	State          string     `json:"state"`
	Text           string     `json:"text"`
	Replica        string     `json:"replica"`
	Revision       string     `json:"revision"`
	Envoy          string     `json:"envoy"`
	CertificateEnd *time.Time `json:"certificateEnd"`
	// Behind is since when the sidecar has not acknowledged its configuration; nil if it has.
	Behind *time.Time `json:"behind"`

	// issuer identifies the issuer of the certificate.
	issuer string
}

// Policy is a policy with its status and the traffic to its destination.
type Policy struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// State is in force, not in force or unknown. Message explains it.
	State   string `json:"state"`
	Message string `json:"message"`
	// Allowed are the requests per second from the sources to the destination, and Denied those of all clients that were denied; nil if
	// unknown or for policies without a destination.
	Allowed *float64 `json:"allowed"`
	Denied  *float64 `json:"denied"`
}

// Certificate is a certificate of the control plane, or of the workload that expires first.
type Certificate struct {
	Kind    string    `json:"kind"`
	Subject string    `json:"subject"`
	End     time.Time `json:"end"`
	// Holders is the number of sidecars that have certificates of this issuer.
	Holders int `json:"holders"`
	// Warning is the number of seconds before End from which a certificate that is not replaced needs attention, as in the alerts.
	Warning float64 `json:"warning"`
	// Active is true for the issuer of new certificates.
	Active bool `json:"active"`
}

// Change is a change of the configuration.
type Change struct {
	At      time.Time `json:"at"`
	Objects []string  `json:"objects"`
	// Policy is true if an object is of a kind of the mesh, and not only a pod or its endpoints.
	Policy bool `json:"policy"`
	// Sidecars counts those that received configuration, of all replicas. Each has acknowledged or rejected it, or ended, or is open.
	Sidecars     int `json:"sidecars"`
	Acknowledged int `json:"acknowledged"`
	Rejected     int `json:"rejected"`
	Open         int `json:"open"`
	// Seconds is the time until the last acknowledgement; nil while one is missing.
	Seconds *float64 `json:"seconds"`
}

// Rollout is an upgrade in progress.
type Rollout struct {
	Phase   string `json:"phase"`
	From    string `json:"from"`
	To      string `json:"to"`
	Message string `json:"message"`
	// Total and Outdated count sidecars.
	Total    int32 `json:"total"`
	Outdated int32 `json:"outdated"`
}
