package rollout

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/util/intstr"
)

// otherNamespaces is the number of namespaces that outweigh one in which pods fail.
const otherNamespaces = 3

// Tally counts the pods of a namespace that a gate evaluates.
type Tally struct {
	// Pods counts all of them. Failed describes the ones that fail.
	Pods   int
	Failed []string
	// Sound is true if the namespace shows that the revision works.
	Sound bool
	// Lacks are the revisions of the pods that fail, and Shows the revisions that work. Both are empty for a gate that evaluates one revision.
	Lacks, Shows []string
}

// Census has the pods that a gate evaluates, by namespace.
//
// No namespace decides alone, because its owner can make its pods fail: a gate passes if it would pass without one of them, and if at least otherNamespaces
// others are sound and show the revisions that fail there. Neither can its owner hide failures elsewhere by a large number of pods.
type Census map[string]Tally

// outcome is what a gate makes of a census.
type outcome struct {
	// failed describes the pods that fail and count, sorted. exceeds is true if they are more than the gate tolerates.
	failed  []string
	exceeds bool
	// excused is the namespace that does not count; empty without one. uncounted describes its pods that fail, sorted.
	excused   string
	uncounted []string
}

// evaluate compares the pods that fail with what a gate tolerates: a number, or a share of all.
func (c Census) evaluate(limit intstr.IntOrString) outcome {
	if c.isTolerable(limit) {
		return outcome{failed: c.failed()}
	}
	for _, namespace := range slices.Sorted(maps.Keys(c)) {
		if rest := c.without(namespace); len(c[namespace].Failed) > 0 && c.isOutweighed(namespace) && rest.isTolerable(limit) {
			return outcome{failed: rest.failed(), excused: namespace, uncounted: Census{namespace: c[namespace]}.failed()}
		}
	}
	return outcome{failed: c.failed(), exceeds: true}
}

func (c Census) isTolerable(limit intstr.IntOrString) bool {
	return c.failures() <= tolerated(limit, c.weight())
}

// failures counts the pods that fail. A gate counts them once for each namespace, in the worst case of all pods.
func (c Census) failures() int {
	sum := 0
	for _, tally := range c {
		sum += len(tally.Failed)
	}
	return sum
}

// failed describes the pods that fail, sorted.
func (c Census) failed() []string {
	var all []string
	for _, tally := range c {
		all = append(all, tally.Failed...)
	}
	slices.Sort(all)
	return all
}

// pods counts the pods.
func (c Census) pods() int {
	sum := 0
	for _, tally := range c {
		sum += tally.Pods
	}
	return sum
}

// weight is the number of pods of which a share may fail. A namespace does not weigh more than all others together, if these are enough to outweigh one.
func (c Census) weight() int {
	largest := 0
	for _, tally := range c {
		largest = max(largest, tally.Pods)
	}
	if others := c.pods() - largest; len(c) > otherNamespaces {
		return others + min(largest, others)
	}
	return c.pods()
}

// without leaves out a namespace.
func (c Census) without(namespace string) Census {
	rest := maps.Clone(c)
	delete(rest, namespace)
	return rest
}

// isOutweighed reports whether enough other namespaces show that what fails in one is not the fault of the revision.
func (c Census) isOutweighed(namespace string) bool {
	sound, shown := 0, map[string]bool{}
	for name, tally := range c {
		if name == namespace {
			continue
		}
		if tally.Sound {
			sound++
		}
		for _, revision := range tally.Shows {
			shown[revision] = true
		}
	}
	return sound >= otherNamespaces && !slices.ContainsFunc(c[namespace].Lacks, func(revision string) bool { return !shown[revision] })
}

// failing are the namespaces with pods that fail, sorted.
func (c Census) failing() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(c)), func(namespace string) bool { return len(c[namespace].Failed) == 0 })
}

// tolerated is how many of so many sidecars a gate lets fail: a number, or a share of them.
func tolerated(limit intstr.IntOrString, of int) int {
	n, err := intstr.GetScaledValueFromIntOrPercent(&limit, of, false)
	if err != nil {
		return 0 // admission rejects such values, and the strictest limit is the safe one
	}
	return n
}
