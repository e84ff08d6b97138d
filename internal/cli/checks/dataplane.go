package checks

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/ingest"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// DataPlane says whether the namespaces and pods of a mesh are part of it as they should be.
func (s Subject) DataPlane(ctx context.Context) []Group {
	var members corev1.NamespaceList
	if err := s.Client.List(ctx, &members, client.MatchingLabels{names.MonitoredByLabel: s.Mesh}); err != nil {
		return []Group{{"Namespaces", []Result{unread("the namespaces", err)}}}
	}
	if len(members.Items) == 0 {
		return []Group{{"Namespaces", []Result{warning("osm namespace add NAMESPACE", "no namespace belongs to the mesh %s", s.Mesh)}}}
	}
	groups := []Group{}
	for i := range members.Items {
		groups = append(groups, Group{"Namespace " + members.Items[i].Name, s.namespace(ctx, &members.Items[i])})
	}
	return groups
}

func (s Subject) namespace(ctx context.Context, ns *corev1.Namespace) []Result {
	results := []Result{s.trust(ctx, ns.Name)}
	var pods corev1.PodList
	if err := s.Client.List(ctx, &pods, client.InNamespace(ns.Name)); err != nil {
		return append(results, unread("the pods", err))
	}
	var bare, waiting, earlier []string
	meshed := 0
	for i := range pods.Items {
		p := &pods.Items[i]
		switch {
		case p.Spec.HostNetwork || p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed:
		case p.Labels[names.ProxyUUIDLabel] == "":
			bare = append(bare, p.Name)
		case ingest.Pod(p).Earlier:
			earlier = append(earlier, p.Name)
		case !sidecarReady(p):
			waiting = append(waiting, p.Name)
		default:
			meshed++
		}
	}
	if meshed > 0 {
		results = append(results, ok("%s with a sidecar that holds its configuration", counted(meshed, "pod")))
	}
	if len(waiting) > 0 {
		results = append(results, failed(fmt.Sprintf("see why: kubectl -n %s logs %s -c envoy", ns.Name, waiting[0]), "the sidecars of these pods are not ready: %s", some(waiting)))
	}
	if len(earlier) > 0 {
		results = append(results, warning(fmt.Sprintf("kubectl -n %s rollout restart deployment,statefulset,daemonset, or let the operator do it", ns.Name), "these pods have a sidecar of OSM, which goes by what OSM told it last: %s", some(earlier)))
	}
	if len(bare) > 0 && enabled(ns.Annotations[names.InjectionAnnotation]) {
		results = append(results, warning(fmt.Sprintf("kubectl -n %s rollout restart deployment,statefulset,daemonset", ns.Name), "these pods have no sidecar, so the mesh does not protect them: %s", some(bare)))
	}
	return results
}

func sidecarReady(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.InitContainerStatuses, func(c corev1.ContainerStatus) bool {
		return c.Name == names.SidecarContainer && c.Started != nil && *c.Started
	})
}

func enabled(annotation string) bool {
	return slices.Contains([]string{"enabled", "yes", "true"}, strings.ToLower(annotation))
}

// some lists at most three.
func some(all []string) string {
	slices.Sort(all)
	if len(all) > 3 {
		return fmt.Sprintf("%s and %d more", strings.Join(all[:3], ", "), len(all)-3)
	}
	return strings.Join(all, ", ")
}

// soon is how long before its end a root certificate is worth a warning.
const soon = 30 * 24 * time.Hour

// trust looks at the root certificate with which sidecars of a namespace know the control plane.
func (s Subject) trust(ctx context.Context, namespace string) Result {
	m := &corev1.ConfigMap{}
	name := names.TrustConfigMap(s.Mesh)
	if err := s.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, m); err != nil {
		if apierrors.IsNotFound(err) {
			return failed("the operator makes it within seconds; if not, see its log", "the ConfigMap %s is missing, so no new pod starts", name)
		}
		return unread("the ConfigMap "+name, err)
	}
	block, _ := pem.Decode([]byte(m.Data[names.CABundleCert]))
	if block == nil {
		return failed("delete the ConfigMap; the operator makes it again", "the ConfigMap %s holds no certificate", name)
	}
	root, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return failed("delete the ConfigMap; the operator makes it again", "the certificate in the ConfigMap %s cannot be read: %v", name, err)
	}
	end := root.NotAfter.Format(time.DateOnly)
	switch left := root.NotAfter.Sub(s.Now); {
	case left <= 0:
		return failed("", "the root certificate ended on %s", end)
	case left < soon:
		return warning("", "the root certificate ends on %s", end)
	}
	return ok("the root certificate is there and valid until %s", end)
}
