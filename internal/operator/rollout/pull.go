package rollout

import (
	"cmp"
	"fmt"
	"slices"
)

// Nodes are those that have an image. nil stands for all.
type Nodes map[string]bool

// Pulled is what is known about an image on nodes.
type Pulled struct {
	// Nodes are those that have the image, and on which its Envoy runs. nil stands for all: nobody has asked the nodes yet.
	Nodes Nodes
	// Late is why others are not waited for, by node, as the end of a sentence. All without a reason are.
	Late map[string]string
}

// Demand are the nodes whose pods need an image, each of them once.
type Demand struct {
	// Now are the nodes of slots that are changed next. Later are those of other pods that are to be changed. Both are in the order of the workloads.
	Now, Later []string
	// HasRun is true if the Envoy of the image serves in a pod of the mesh.
	HasRun bool
}

// Demand returns the nodes whose pods need an image.
func (w Wave) Demand(image string) Demand {
	var d Demand
	seen := map[string]bool{}
	add := func(to *[]string, node string) {
		if node != "" && !seen[node] {
			seen[node] = true
			*to = append(*to, node)
		}
	}
	for _, p := range slices.Concat(w.Patches, w.RetryPatches) {
		if p.isPulled(image) {
			add(&d.Now, p.Node)
		}
	}
	if w.proofs == nil {
		return d
	}
	for _, node := range w.proofs.needs {
		add(&d.Later, node)
	}
	d.HasRun = w.proofs.hasRun
	return d
}

// OnNodes returns the wave without the slots that would get an image on nodes that do not have it, and the first of these nodes; empty if there is none.
func (w Wave) OnNodes(nodes Nodes, image string) (Wave, string) {
	if nodes == nil {
		return w, ""
	}
	missing, waiting := "", map[Ref]string{}
	keep := func(patches []PodPatch) []PodPatch {
		return slices.DeleteFunc(slices.Clone(patches), func(p PodPatch) bool {
			waits := p.isPulled(image) && !nodes[p.Node]
			if waits {
				missing = cmp.Or(missing, p.Node)
				waiting[p.Workload] = cmp.Or(waiting[p.Workload], fmt.Sprintf("%s waits until its node %s has pulled the image", p.Pod, p.Node))
			}
			return waits
		})
	}
	w.Patches, w.RetryPatches = keep(w.Patches), keep(w.RetryPatches)
	w.Upgrading = slices.Clone(w.Upgrading)
	for i, note := range w.Upgrading {
		w.Upgrading[i].Reason = cmp.Or(note.Reason, waiting[note.Ref])
	}
	return w, missing
}

// isPulled reports whether the slot gets the image. A pod that is not on a node yet pulls it with the others.
func (p PodPatch) isPulled(image string) bool { return p.Declared == image && p.Node != "" }
