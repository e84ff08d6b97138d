package checks

import (
	"context"
	"maps"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/cli/creation"
	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/cli/remaining"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// uncreated returns a finding for each workload of a namespace whose pods cannot be created.
func (s Subject) uncreated(ctx context.Context, namespace string) []diagnosis.Finding {
	failures, err := creation.Find(ctx, s.Client, namespace, s.Now)
	if err != nil {
		return []diagnosis.Finding{diagnosis.Unread("workloads whose pods cannot be created", err)}
	}
	return lists.Map(failures, creation.Failure.Finding)
}

// Uncreated returns a finding for each workload of namespaces whose pods cannot be created.
func (s Subject) Uncreated(ctx context.Context, namespaces []string) []diagnosis.Finding {
	return lists.FlatMap(namespaces, func(namespace string) []diagnosis.Finding { return s.uncreated(ctx, namespace) })
}

// remainingSidecars returns a group for each namespace with sidecars that no control plane configures any more.
func (s Subject) remainingSidecars(ctx context.Context) []diagnosis.Finding {
	var groups []diagnosis.Finding
	for _, f := range s.Remaining(ctx) {
		title := "Namespaces outside the mesh"
		if f.Name != "" {
			title, f.Kind = "Namespace "+f.Name, ""
		}
		groups = append(groups, diagnosis.Group(title, f))
	}
	return groups
}

// Remaining returns a finding for each namespace with sidecars that no control plane configures any more.
func (s Subject) Remaining(ctx context.Context) []diagnosis.Finding {
	pods, err := s.Meshes.List(ctx, s.Client)
	if err != nil {
		return []diagnosis.Finding{diagnosis.Unread("pods with sidecars", err)}
	}
	byNamespace := map[string][]string{}
	for i := range pods {
		byNamespace[pods[i].Namespace] = append(byNamespace[pods[i].Namespace], pods[i].Name)
	}
	var all []diagnosis.Finding
	for _, namespace := range slices.Sorted(maps.Keys(byNamespace)) {
		found := byNamespace[namespace]
		f := diagnosis.Warn(remaining.RestartAll(namespace), "%s with a sidecar, although the namespace is not part of mesh %s any more: %s (%s)",
			output.Count(len(found), "pod"), s.Mesh, remaining.Effect, firstThree(found))
		f.Kind, f.Name = "Namespace", namespace
		all = append(all, f)
	}
	return all
}
