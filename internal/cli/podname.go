package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/cli/explain"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// parseName parses "[NAMESPACE/][KIND/]NAME" and drops the kind, such as pod.
func parseName(namespace, text string) entity.Name {
	_, name := parseKindName(namespace, text)
	return name
}

// parseKindName parses "[NAMESPACE/][KIND/]NAME". The kind is singular and in lower case; empty without one. What stands before the name is a
// namespace, unless it is a kind.
func parseKindName(namespace, text string) (kind string, name entity.Name) {
	parts := strings.Split(text, "/")
	name = entity.Name{Namespace: namespace, Name: parts[len(parts)-1]}
	parts = parts[:len(parts)-1]
	if len(parts) > 0 {
		if known, ok := explain.KindNamed(parts[len(parts)-1]); ok {
			kind, parts = known, parts[:len(parts)-1]
		}
	}
	if len(parts) > 0 {
		name.Namespace, name.Name = parts[0], strings.Join(append(slices.Clone(parts[1:]), name.Name), "/")
	}
	return kind, name
}

// podIn returns the pod of a reference in a mesh. Of a workload or service account it is the first pod that runs.
func podIn(c *catalog.Catalog, namespace, text string) (entity.Name, error) {
	pods := lists.Map(c.Entries(entity.KindPod), func(entry catalog.Entry) *inventory.Instance { return entry.(*inventory.Instance) })
	return podAmong(pods, namespace, text)
}

// runningPod is like podIn for pods of a cluster.
func runningPod(ctx context.Context, c client.Reader, namespace, text string) (entity.Name, error) {
	kind, name := parseKindName(namespace, text)
	if kind == "" || kind == explain.KindPod {
		return name, nil
	}
	var list corev1.PodList
	if err := c.List(ctx, &list, client.InNamespace(name.Namespace)); err != nil {
		return entity.Name{}, err
	}
	var pods []*inventory.Instance
	for i := range list.Items {
		if list.Items[i].Status.Phase == corev1.PodRunning {
			pods = append(pods, ingest.Pod(&list.Items[i]))
		}
	}
	return podAmong(pods, namespace, text)
}

// podAmong returns the pod of a reference: the named one, or the first one of a workload or service account that has not terminated.
func podAmong(pods []*inventory.Instance, namespace, text string) (entity.Name, error) {
	kind, name := parseKindName(namespace, text)
	switch kind {
	case "", explain.KindPod:
		return name, nil
	case explain.KindService:
		return entity.Name{}, fmt.Errorf("%s is a Service: specify a pod, or a workload such as deploy/NAME", text)
	}
	var found []entity.Name
	for _, p := range pods {
		isOwner := strings.EqualFold(p.Workload.Kind, kind) && p.Workload.Name == name.Name
		isAccount := kind == explain.KindServiceAccount && p.ServiceAccount == name.Name
		if p.Name.Namespace == name.Namespace && !p.Finished && (isOwner || isAccount) {
			found = append(found, p.Name)
		}
	}
	if len(found) == 0 {
		return entity.Name{}, fmt.Errorf("no running pod of %s %s found in namespace %s", kind, name.Name, name.Namespace)
	}
	return slices.MinFunc(found, entity.Name.Compare), nil
}
