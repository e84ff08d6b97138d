package report

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
