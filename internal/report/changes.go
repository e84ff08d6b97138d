package report

import "time"

// Changes are the latest changes that a replica has taken in, the latest first. What changed nothing is not among them.
type Changes struct {
	Changes []Change `json:"changes"`
}

// Change is what became of one batch of changes: usually of one object, of many when they came together.
type Change struct {
	// Number counts the batches since the replica started.
	Number uint64 `json:"number"`
	// At is when the watch brought the first object.
	At time.Time `json:"at"`
	// Objects are some of those that changed, and Total is how many the batch had, with those that were the same as before.
	Objects []ChangedObject `json:"objects"`
	Total   int             `json:"total"`
	// Scopes were built again, and Resources are what of them and of endpoints came out different.
	Scopes    int `json:"scopes"`
	Resources int `json:"resources"`
	// Sidecars were told. Each is one of the following; Left are those whose stream ended before they answered, and Skipped those
	// that had not answered 32 earlier changes and are not followed any more.
	Sidecars     int `json:"sidecars"`
	Acknowledged int `json:"acknowledged"`
	Rejected     int `json:"rejected"`
	Left         int `json:"left"`
	Skipped      int `json:"skipped"`
	Open         int `json:"open"`
	// Seconds says how long the change was in each stage: ingest, queue, catalog, scope, envoy, push and acknowledge. The last two
	// are those of the slowest sidecar so far.
	Seconds map[string]float64 `json:"seconds"`
	// Took is the time in seconds from At to the last answer; nil while a sidecar is open.
	Took *float64 `json:"took,omitempty"`
	// Waiting are some of the sidecars that are open, "<namespace>/<pod>".
	Waiting []string `json:"waiting,omitempty"`
}

// ChangedObject is an object of a change.
type ChangedObject struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`
	// Generation is the object's metadata.generation, or its resourceVersion where its kind has none; 0 when it is not known.
	Generation int64 `json:"generation,omitempty"`
	Removed    bool  `json:"removed,omitempty"`
}
