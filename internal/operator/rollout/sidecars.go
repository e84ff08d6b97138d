package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// Sidecar is a pod whose sidecar should be connected to its control plane.
type Sidecar struct {
	Namespace, Pod string
	// UID is that of the pod.
	UID string
	// Revision is the revision that injected the sidecar.
	Revision string
	// Created is when the pod was created.
	Created time.Time
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
	// Before are the names of the pods that were not connected at the start of the upgrade, and Since is that time.
	Before []string
	Since  time.Time
}

// Proxies counts the sidecars that should be connected, and names those that are not, sorted.
//
// A container that never started has no connection to lose: its pod counts only if no sidecar of the desired revision has started, which is
// then what is wrong with that revision. A pod that was not connected at the start does not count, unless another pod has its name now.
//
// The sidecars of one namespace do not decide alone. Its owner can block their connections. They are Excused if at least otherNamespaces
// namespaces are connected completely, and one of them with a sidecar of each revision that is missing.
func (c Connection) Proxies() Proxies {
	var proxies Proxies
	var missing []Sidecar
	connected := connectedNamespaces{}
	started := slices.ContainsFunc(c.Expected, func(s Sidecar) bool { return s.Revision == c.Desired && s.Problem == "" })
	for _, s := range c.Expected {
		switch {
		case s.Problem != "" && (started || s.Revision != c.Desired):
		case c.IsConnected(s.UID):
			proxies.Live++
			connected.add(s)
		case slices.Contains(c.Before, s.Name()) && !s.Created.After(c.Since):
		default:
			proxies.Live++
			missing = append(missing, s)
		}
	}
	slices.SortFunc(missing, func(a, b Sidecar) int { return cmp.Compare(a.Name(), b.Name()) })
	if connected.excuse(missing) {
		proxies.Live -= len(missing)
		proxies.Excused, missing = missing[0].Namespace, nil
	}
	proxies.Missing = lists.Map(missing, Sidecar.describe)
	return proxies
}

// Disconnected returns the names of the pods whose sidecars have started and are not connected, sorted.
func (c Connection) Disconnected() []string {
	var list []string
	for _, s := range c.Expected {
		if s.Problem == "" && !c.IsConnected(s.UID) {
			list = append(list, s.Name())
		}
	}
	return lists.Unique(list)
}

// describe is the name of a pod, with the reason why its sidecar has not started.
func (s Sidecar) describe() string {
	if s.Problem == "" {
		return s.Name()
	}
	return s.Name() + " (" + s.Problem + ")"
}

// otherNamespaces is the number of completely connected namespaces that outweigh one that is not.
const otherNamespaces = 3

// connectedNamespaces holds the revisions of the connected sidecars of each namespace.
type connectedNamespaces map[string]map[string]bool

func (c connectedNamespaces) add(s Sidecar) {
	if c[s.Namespace] == nil {
		c[s.Namespace] = map[string]bool{}
	}
	c[s.Namespace][s.Revision] = true
}

// excuse reports whether all missing sidecars are of one namespace, and sidecars of the same revisions are connected in enough others.
func (c connectedNamespaces) excuse(missing []Sidecar) bool {
	if len(missing) == 0 {
		return false
	}
	namespace := missing[0].Namespace
	others := len(c)
	if c[namespace] != nil {
		others--
	}
	if others < otherNamespaces {
		return false
	}
	return !slices.ContainsFunc(missing, func(s Sidecar) bool { return s.Namespace != namespace || !c.hasElsewhere(s) })
}

// hasElsewhere reports whether another namespace has a connected sidecar of the same revision.
func (c connectedNamespaces) hasElsewhere(s Sidecar) bool {
	for namespace, revisions := range c {
		if namespace != s.Namespace && revisions[s.Revision] {
			return true
		}
	}
	return false
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

// tolerated is how many of so many sidecars a gate lets fail: a number, or a share of them.
func tolerated(limit intstr.IntOrString, of int) int {
	n, err := intstr.GetScaledValueFromIntOrPercent(&limit, of, false)
	if err != nil {
		return 0 // admission rejects such values, and the strictest limit is the safe one
	}
	return n
}

// tolerates reports whether a gate accepts the sidecars that are missing.
func (p Proxies) tolerates(limit intstr.IntOrString) bool {
	return len(p.Missing) <= tolerated(limit, p.Live)
}

// message describes which sidecars are connected.
func (p Proxies) message() string {
	text := fmt.Sprintf("%d of %d sidecars are connected", p.Live-len(p.Missing), p.Live)
	if len(p.Missing) > 0 {
		text += ", not those of " + namePods(p.Missing, ", ")
	}
	if p.Excused != "" {
		text += fmt.Sprintf(" (sidecars of the namespace %s are not, which does not count alone)", p.Excused)
	}
	return text
}
