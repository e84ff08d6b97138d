package rollout

import "slices"

// Nodes are those that have an image. nil stands for all.
type Nodes map[string]bool

// Pulled is what is known about an image on nodes.
type Pulled struct {
	// Nodes are those that have the image, and on which its Envoy runs. nil stands for all: nobody has asked the nodes yet.
	Nodes Nodes
	// Overdue is why the others are no longer waited for, as the end of a sentence; empty as long as they are.
	Overdue string
}

// NeedsImage reports whether slots that are changed now get an image that no slot of their pods had.
func (w Wave) NeedsImage(image string) bool {
	return slices.ContainsFunc(slices.Concat(w.Patches, w.RetryPatches), func(p PodPatch) bool { return p.isPulled(image) })
}

// OnNodes returns the wave without the slots that would get an image on nodes that do not have it, and the first of these nodes; empty if there is none.
func (w Wave) OnNodes(nodes Nodes, image string) (Wave, string) {
	if nodes == nil {
		return w, ""
	}
	missing := ""
	keep := func(patches []PodPatch) []PodPatch {
		return slices.DeleteFunc(slices.Clone(patches), func(p PodPatch) bool {
			waits := p.isPulled(image) && !nodes[p.Node]
			if waits && missing == "" {
				missing = p.Node
			}
			return waits
		})
	}
	w.Patches, w.RetryPatches = keep(w.Patches), keep(w.RetryPatches)
	return w, missing
}

// isPulled reports whether the slot gets the image. A pod that is not on a node yet pulls it with the others.
func (p PodPatch) isPulled(image string) bool { return p.Declared == image && p.Node != "" }
