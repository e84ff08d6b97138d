package report

import "time"

// Loads are what the sidecars of a replica have sent in the last minute, by their own reports. Sidecars report only while somebody
// reads this document: every 5 seconds, until a minute after the last reader. So the first reader finds nothing yet.
type Loads struct {
	// Since is from when sidecars were asked to report.
	Since time.Time `json:"since"`
	// Sidecars can report, and Reporting of them have since then. As long as there are fewer, what the others send is unknown.
	Sidecars  int `json:"sidecars"`
	Reporting int `json:"reporting"`
	// Loads are sorted by client and cluster. What is not among them is unknown or idle: sidecars leave out clusters that nothing
	// was sent to.
	Loads []Load `json:"loads"`
}

// Load is what the sidecars of one identity have sent to one upstream cluster.
type Load struct {
	// Client is the identity, "<namespace>/<service account>", and Cluster the name in the sidecar, "<namespace>/<service>|<port>".
	Client  string `json:"client"`
	Cluster string `json:"cluster"`
	LoadCounts
	// Seconds is the time that the counts are about, and Rate the number of requests issued a second in it.
	Seconds float64 `json:"seconds"`
	Rate    float64 `json:"rate"`
	// Recent are the counts by interval of 5 seconds, the oldest first.
	Recent []LoadInterval `json:"recent,omitempty"`
}

// LoadCounts are numbers of requests, as Envoy counts them: an answer of 500 and above, or none, is a failure; a denial is an answer,
// and succeeds. An upstream that is not HTTP has connections, which neither succeed nor fail.
type LoadCounts struct {
	Issued    uint64 `json:"issued"`
	Succeeded uint64 `json:"succeeded"`
	Failed    uint64 `json:"failed"`
}

// LoadInterval are the counts that were reported within one interval.
type LoadInterval struct {
	Start time.Time `json:"start"`
	LoadCounts
}
