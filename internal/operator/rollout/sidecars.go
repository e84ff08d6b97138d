package rollout

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// Sidecar is a pod whose sidecar should be connected to its control plane.
type Sidecar struct {
	Namespace, Pod string
	// UID is that of the pod.
	UID string
	// Workload is the service account of the pod, as "<namespace>/<name>".
	Workload string
	// Revision is the revision that injected the sidecar.
	Revision string
	// Problem is why the container of the sidecar has never started, such as ImagePullBackOff; empty for one that has.
	Problem string
}

// Name is "<namespace>/<pod>".
func (s Sidecar) Name() string { return s.Namespace + "/" + s.Pod }

// Connection compares the sidecars that should be connected with those that are.
type Connection struct {
	// Expected are the sidecars that should be connected.
	Expected []Sidecar
	// IsConnected reports whether the sidecar of the pod with this UID is connected.
	IsConnected func(uid string) bool
	// Desired is the revision that the gates evaluate.
	Desired string
	// Before counts the sidecars of each workload that were not connected at the start of the upgrade. PodsBefore are their pods, if an earlier operator
	// recorded the start.
	Before     map[string]int
	PodsBefore []string
}

// Census counts the sidecars that should be connected, and names the ones that are not.
//
// A container that never started has no connection to lose: its pod counts only if no sidecar of the desired revision has started, which is
// then what is wrong with that revision. As many sidecars of a workload as were not connected at the start do not count, whatever pods it has now.
func (c Connection) Census() Census {
	census, before := Census{}, maps.Clone(c.Before)
	started := slices.ContainsFunc(c.Expected, func(s Sidecar) bool { return s.Revision == c.Desired && s.Problem == "" })
	for _, s := range c.Expected {
		tally := census[s.Namespace]
		switch {
		case s.Problem != "" && (started || s.Revision != c.Desired):
			continue
		case c.IsConnected(s.UID):
			tally.Shows = append(tally.Shows, s.Revision)
		case slices.Contains(c.PodsBefore, s.Name()):
			continue
		case before[s.Workload] > 0:
			before[s.Workload]--
			continue
		default:
			tally.Failed, tally.Lacks = append(tally.Failed, s.describe()), append(tally.Lacks, s.Revision)
		}
		tally.Pods++
		census[s.Namespace] = tally
	}
	for namespace, tally := range census {
		tally.Shows, tally.Lacks, tally.Sound = lists.Unique(tally.Shows), lists.Unique(tally.Lacks), len(tally.Failed) == 0
		census[namespace] = tally
	}
	return census
}

// Disconnected counts the sidecars of each workload that have started and are not connected.
func (c Connection) Disconnected() map[string]int {
	counts := map[string]int{}
	for _, s := range c.Expected {
		if s.Problem == "" && !c.IsConnected(s.UID) {
			counts[s.Workload]++
		}
	}
	return counts
}

// describe is the name of a pod, with the reason why its sidecar has not started.
func (s Sidecar) describe() string {
	if s.Problem == "" {
		return s.Name()
	}
	return s.Name() + " (" + s.Problem + ")"
}

// maxNamedPods is how many pods the message of a gate names.
const maxNamedPods = 5

// namePods lists pods in the message of a gate.
func namePods(pods []string, separator string) string {
	text := strings.Join(pods[:min(len(pods), maxNamedPods)], separator)
	if more := len(pods) - maxNamedPods; more > 0 {
		text += fmt.Sprintf(" and %d more pods", more)
	}
	return text
}
