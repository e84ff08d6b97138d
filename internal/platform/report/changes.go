package report

import "time"

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
