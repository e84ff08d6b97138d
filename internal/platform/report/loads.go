package report

import "time"

// Loads contains the load reports of the sidecars of a replica for the last minute. Sidecars report every 5 seconds, until one minute
// after the last request for this document. The first response is therefore empty.
type Loads struct {
	// Since is the time when load reporting was enabled.
	Since time.Time `json:"since"`
	// Sidecars is the number of sidecars that can report. Reporting is the number of sidecars that have reported since then. The load of
	// the others is unknown.
	Sidecars  int `json:"sidecars"`
	Reporting int `json:"reporting"`
	// Loads are sorted by client and cluster. Missing clusters are idle or unknown, because sidecars omit clusters without requests.
	Loads []Load `json:"loads"`
}

// Load contains the requests of the sidecars of one identity to one upstream cluster.
type Load struct {
	// Client is the identity, "<namespace>/<service account>". Cluster is the Envoy cluster name, "<namespace>/<service>|<port>".
	Client  string `json:"client"`
	Cluster string `json:"cluster"`
	LoadCounts
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
