package status

// Stage is a part of the processing of a change, from the watch event to the acknowledgement of the last proxy.
type Stage uint8

// The stages in order. StagePush and StageAcknowledge overlap between proxies: they have the time of the slowest proxy.
const (
	// StageIngest converts an object to a catalog entry. It has the time of the slowest object of a batch.
	StageIngest Stage = iota
	// StageQueue waits for the Store.
	StageQueue
	// StageCatalog applies the entry to the catalog and finds out what depends on it.
	StageCatalog
	// StageScope computes the affected scopes and endpoints.
	StageScope
	// StageEnvoy builds, marshals, hashes and compares their resources.
	StageEnvoy
	// StagePush begins when a stream is notified and ends when it has written its last response about the change.
	StagePush
	// StageAcknowledge ends when the proxy has answered everything.
	StageAcknowledge
	numStages
)

var stageNames = [numStages]string{"ingest", "queue", "catalog", "scope", "envoy", "push", "acknowledge"}

// String returns the name used in metrics and reports.
func (s Stage) String() string { return stageNames[s] }
