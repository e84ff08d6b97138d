package report

import (
	"regexp"
	"time"
)

// Loads contains the load reports of the sidecars of a replica for the last minute. Sidecars report every 5 seconds, until one minute
// after the last request for this document. The first response after a pause waits for one report of each sidecar, at most 3 seconds.
type Loads struct {
	// Since is the time when load reporting was enabled.
	Since time.Time `json:"since"`
	// Sidecars is the number of sidecars that can report. Reporting is the number of sidecars that have reported in the last minute. The load of
	// the others is unknown.
	Sidecars  int `json:"sidecars"`
	Reporting int `json:"reporting"`
	// Clients count the same sidecars by identity and revision, sorted. Replicas before v0.4 omit them.
	Clients []LoadClient `json:"clients,omitempty"`
	// Loads are sorted by client, cluster and revision. Missing clusters are idle or unknown, because sidecars omit clusters without requests.
	Loads []Load `json:"loads"`
}

// LoadClient counts the sidecars of one identity and revision that can report.
type LoadClient struct {
	// Client is the identity, "<namespace>/<service account>". Revision is the MeshRevision whose injector injected the sidecars.
	Client   string `json:"client"`
	Revision string `json:"revision,omitempty"`
	Sidecars int    `json:"sidecars"`
	// Reporting sidecars have reported in the last minute. Starting ones connected less than 15 seconds ago and have not.
	Reporting int `json:"reporting"`
	Starting  int `json:"starting,omitempty"`
}

// Load contains the requests of the sidecars of one identity and revision to one upstream cluster.
type Load struct {
	// Client is the identity, "<namespace>/<service account>". Cluster is the Envoy cluster name, "<namespace>/<service>|<port>".
	Client  string `json:"client"`
	Cluster string `json:"cluster"`
	// Revision is the MeshRevision whose injector injected the sidecars. It is empty in sums over revisions.
	Revision string `json:"revision,omitempty"`
	LoadCounts
	// Average is true if the counts are those since the last report before a pause, at most an hour: nothing newer is known yet. Replicas before
	// v0.5 omit it.
	Average bool `json:"average,omitempty"`
	// Seconds is the duration of the counts. Rate is the number of issued requests per second.
	Seconds float64 `json:"seconds"`
	Rate    float64 `json:"rate"`
	// Recent contains the counts of each interval of 5 seconds, oldest first.
	Recent []LoadInterval `json:"recent,omitempty"`
}

// LoadCounts are numbers of requests as Envoy counts them. Status codes of 500 and above, and missing responses, are failures. Denied
// requests are successes. TCP upstreams count connections, which neither succeed nor fail.
type LoadCounts struct {
	Issued    uint64 `json:"issued"`
	Succeeded uint64 `json:"succeeded"`
	Failed    uint64 `json:"failed"`
}

// LoadInterval contains the counts of one reporting interval.
type LoadInterval struct {
	Start time.Time `json:"start"`
	LoadCounts
}

// Names of upstream clusters that carry requests of applications. A sidecar has others, for probes, metrics, traces, decisions and the
// control plane.
var (
	serviceCluster = regexp.MustCompile(`^([^/|]+/[^/|]+)[|]([0-9]+)([|]pods|[|]local|[|]h2)?$`)
	outsideCluster = regexp.MustCompile(`^(?:[^/|]+[:_][0-9]+|[0-9]+|passthrough-outbound)$`)
)

// Destination is where the requests of a Load go. Its zero value stands for what is no request of an application.
type Destination struct {
	// Service is "<namespace>/<name>", and Port its target port. A Service and its pods by address are one destination.
	Service, Port string
	// Local is true for requests to the application behind the sidecar itself. A client with a sidecar reports them as well.
	Local bool
	// Outside is the cluster of a destination outside the mesh.
	Outside string
}

// Destination returns where the requests go.
func (l Load) Destination() Destination {
	if match := serviceCluster.FindStringSubmatch(l.Cluster); match != nil {
		return Destination{Service: match[1], Port: match[2], Local: match[3] == "|local"}
	}
	if outsideCluster.MatchString(l.Cluster) {
		return Destination{Outside: l.Cluster}
	}
	return Destination{}
}

// Changes lists the latest changes that a replica has processed, the latest first. Changes without effect are not included.
type Changes struct {
	Changes []Change `json:"changes"`
}

// Change is the effect of one batch of changes, usually of a single object.
type Change struct {
	// Number counts the batches since the start of the replica.
	Number uint64 `json:"number"`
	// At is the time of the first watch event.
	At time.Time `json:"at"`
	// Objects are examples of changed objects. Total counts all objects in the batch, including unchanged ones.
	Objects []ChangedObject `json:"objects"`
	Total   int             `json:"total"`
	// Scopes counts the rebuilt scopes, Resources the changed resources of scopes and endpoints.
	Scopes    int `json:"scopes"`
	Resources int `json:"resources"`
	// Sidecars counts the notified sidecars. Each of them is in one of the following counters. Left counts sidecars whose stream ended
	// before an answer. Skipped counts sidecars with more than 32 unanswered changes, which are no longer tracked.
	Sidecars     int `json:"sidecars"`
	Acknowledged int `json:"acknowledged"`
	Rejected     int `json:"rejected"`
	Left         int `json:"left"`
	Skipped      int `json:"skipped"`
	Open         int `json:"open"`
	// Seconds is the time spent in each stage: ingest, queue, catalog, scope, envoy, push and acknowledge. The last two are the times of the
	// slowest sidecar so far.
	Seconds map[string]float64 `json:"seconds"`
	// Took is the time in seconds from At to the last answer. It is nil while a sidecar has not answered.
	Took *float64 `json:"took,omitempty"`
	// Waiting are examples of sidecars that have not answered, "<namespace>/<pod>".
	Waiting []string `json:"waiting,omitempty"`
}

// ChangedObject is an object of a change.
type ChangedObject struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`
	// Generation is metadata.generation, or resourceVersion for kinds without one. It is 0 if unknown.
	Generation int64 `json:"generation,omitempty"`
	Removed    bool  `json:"removed,omitempty"`
}
