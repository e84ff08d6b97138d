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
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/cli/gatewaystatus"
	"github.com/openservicemesh/osm-operator/internal/cli/kube"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/mesh/validate"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// DataPlane checks the namespaces of a mesh, their trust ConfigMaps and sidecars.
func (s Subject) DataPlane(ctx context.Context) []diagnosis.Finding {
	var members corev1.NamespaceList
	if err := s.Client.List(ctx, &members, client.MatchingLabels{names.MonitoredByLabel: s.Mesh}); err != nil {
		return []diagnosis.Finding{diagnosis.Group("Namespaces", diagnosis.Unread("namespaces", err))}
	}
	groups := []diagnosis.Finding{}
	if len(members.Items) == 0 {
		groups = append(groups, diagnosis.Group("Namespaces", diagnosis.Warn("osm namespace add NAMESPACE", "mesh %s has no namespaces", s.Mesh)))
	}
	located := s.readPlaces(ctx)
	for i := range members.Items {
		groups = append(groups, diagnosis.Group("Namespace "+members.Items[i].Name, s.namespace(ctx, &members.Items[i], located)...))
	}
	return append(groups, s.remainingSidecars(ctx)...)
}

func (s Subject) namespace(ctx context.Context, ns *corev1.Namespace, located places) []diagnosis.Finding {
	results := []diagnosis.Finding{s.trust(ctx, ns.Name)}
	var pods corev1.PodList
	if err := s.Client.List(ctx, &pods, client.InNamespace(ns.Name)); err != nil {
		return append(results, diagnosis.Unread("pods", err))
	}
	if names.IsSystemNamespace(ns.Name) {
		return append(results, diagnosis.Warn(fmt.Sprintf("run osm namespace remove %s --mesh-name %s", ns.Name, s.Mesh), "the namespace belongs to Kubernetes, so its pods never get a sidecar"))
	}
	word, said := ns.Annotations[names.InjectionAnnotation]
	if said && !enabled(word) && !slices.Contains([]string{"disabled", "no", "false"}, strings.ToLower(word)) {
		results = append(results, diagnosis.Fail(fmt.Sprintf("run kubectl annotate namespace %s %s=enabled --overwrite", ns.Name, names.InjectionAnnotation),
			"the annotation %s is %q, so no pod can start: it must be enabled or disabled", names.InjectionAnnotation, word))
	}
	var withoutSidecar, osmSidecars []string
	var notReady []*corev1.Pod
	ready := 0
	for i := range pods.Items {
		p := &pods.Items[i]
		switch {
		case p.Spec.HostNetwork || kube.IsGone(p):
		case p.Labels[names.ProxyUUIDLabel] == "":
			withoutSidecar = append(withoutSidecar, p.Name)
		case ingest.Pod(p).OSMSidecar:
			osmSidecars = append(osmSidecars, p.Name)
		case located.add(p):
		case !kube.IsSidecarReady(p):
			notReady = append(notReady, p)
		default:
			ready++
		}
	}
	if ready > 0 {
		results = append(results, diagnosis.Pass("%s with a ready sidecar", output.Count(ready, "pod")))
	}
	if len(notReady) > 0 {
		// The log is empty if a NetworkPolicy keeps the sidecar from the control plane.
		remedy := fmt.Sprintf("run osm analyze -n %s, which finds NetworkPolicies that keep sidecars from the control plane, and see the log: %s", ns.Name, kube.LogsCommand(notReady[0]))
		results = append(results, diagnosis.Fail(remedy, "pods whose sidecar is not ready: %s", firstThree(lists.Map(notReady, (*corev1.Pod).GetName))))
	}
	results = append(results, located.findings()...)
	if len(osmSidecars) > 0 {
		results = append(results, diagnosis.Warn(fmt.Sprintf("kubectl -n %s rollout restart deployment,statefulset,daemonset, or wait for the operator", ns.Name), "pods with an OSM sidecar, which gets configuration updates only while spec.adoption.bridge is open: %s", firstThree(osmSidecars)))
	}
	if len(withoutSidecar) > 0 && enabled(ns.Annotations[names.InjectionAnnotation]) {
		results = append(results, diagnosis.Warn(fmt.Sprintf("kubectl -n %s rollout restart deployment,statefulset,daemonset", ns.Name), "pods without a sidecar, to which no policies apply: %s", firstThree(withoutSidecar)))
	}
	results = append(results, s.uncreated(ctx, ns.Name)...)
	if len(withoutSidecar) > 0 && !said {
		results = append(results, diagnosis.Warn(fmt.Sprintf("run osm namespace add %s, and restart the pods", ns.Name), "pods without a sidecar, because the namespace has no annotation %s: %s", names.InjectionAnnotation, firstThree(withoutSidecar)))
	}
	return results
}

func enabled(annotation string) bool {
	return slices.Contains([]string{"enabled", "yes", "true"}, strings.ToLower(annotation))
}

// firstThree joins up to three names.
func firstThree(all []string) string {
	slices.Sort(all)
	return lists.Join(all, 3)
}

// expiryWarning is the remaining validity below which a root certificate causes a warning.
const expiryWarning = 30 * 24 * time.Hour

// trust checks the root certificate in the trust ConfigMap of a namespace. Sidecars use it to verify the control plane.
func (s Subject) trust(ctx context.Context, namespace string) diagnosis.Finding {
	m := &corev1.ConfigMap{}
	name := names.TrustConfigMap(s.Mesh)
	if err := s.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, m); err != nil {
		if apierrors.IsNotFound(err) {
			return diagnosis.Fail("the operator creates it within seconds; if not, see the operator's log", "ConfigMap %s not found: new pods do not start", name)
		}
		return diagnosis.Unread("ConfigMap "+name, err)
	}
	block, _ := pem.Decode([]byte(m.Data[names.CABundleCert]))
	if block == nil {
		return diagnosis.Fail("delete the ConfigMap; the operator recreates it", "ConfigMap %s has no certificate", name)
	}
	root, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return diagnosis.Fail("delete the ConfigMap; the operator recreates it", "parse the certificate in ConfigMap %s: %v", name, err)
	}
	return s.expiry("the root certificate", root.NotAfter, expiryWarning, "")
}

// Policies checks whether all policies are in force.
func (s Subject) Policies(ctx context.Context) []diagnosis.Finding {
	var findings []diagnosis.Finding
	count := 0
	for _, source := range kinds.Policies() {
		kind := source.Object.GetObjectKind().GroupVersionKind()
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind)
		err := s.Client.List(ctx, list)
		if meta.IsNoMatchError(err) {
			findings = append(findings, diagnosis.Fail("the operator installs the CRD with the first Mesh", "the cluster has no CRD for kind %s", kind.Kind))
			continue
		}
		if err != nil {
			findings = append(findings, diagnosis.Unread("objects of kind "+kind.Kind, err))
			continue
		}
		for i := range list.Items {
			count++
			found := policyFindings(&list.Items[i])
			if len(found) == 0 && kind == kinds.TrafficSplit {
				found = s.idleBackends(ctx, &list.Items[i])
			}
			findings = append(findings, found...)
		}
	}
	ofGateways, found := s.gatewayAPI(ctx)
	count += ofGateways
	findings = append(findings, found...)
	findings = append(findings, s.withoutEffect(ctx)...)
	if len(findings) == 0 {
		findings = append(findings, diagnosis.Pass("%d policies, all in force", count))
	}
	return []diagnosis.Finding{diagnosis.Group("Policies", findings...)}
}

// gatewayAPI counts the objects of the Gateway API that concern the mesh, and returns a finding for each of their problems.
func (s Subject) gatewayAPI(ctx context.Context) (count int, findings []diagnosis.Finding) {
	var members []string
	var namespaces corev1.NamespaceList
	if err := s.Client.List(ctx, &namespaces, client.MatchingLabels{names.MonitoredByLabel: s.Mesh}); err != nil {
		return 0, []diagnosis.Finding{diagnosis.Unread("namespaces", err)}
	}
	for i := range namespaces.Items {
		members = append(members, namespaces.Items[i].Name)
	}
	objects, errs := gatewaystatus.Read(ctx, s.Client, s.Mesh, members)
	for _, err := range errs {
		findings = append(findings, diagnosis.Unread("objects of the Gateway API", err))
	}
	for _, object := range objects {
		for _, problem := range object.Problems {
			findings = append(findings, diagnosis.Fail("", "%s", problem).About(object.Unstructured))
		}
	}
	return len(objects), findings
}

// policyFindings reports the False conditions of a policy. Without conditions, it applies the admission rules.
func policyFindings(object *unstructured.Unstructured) []diagnosis.Finding {
	var findings []diagnosis.Finding
	if conditions, err := kinds.ConditionsOf(object); err == nil && len(conditions) > 0 {
		for _, c := range conditions {
			// Ready repeats one of the others.
			if c.Status == metav1.ConditionFalse && c.Type != kinds.ConditionReady {
				findings = append(findings, diagnosis.Fail("", "%s: %s", c.Reason, c.Message).About(object))
			}
		}
		return findings
	}
	return lists.Map(validate.Object(object), func(p ingest.Problem) diagnosis.Finding { return diagnosis.OfProblem(p).About(object) })
}

// idleBackends warns about backends of a TrafficSplit that get requests and have no ready pod.
func (s Subject) idleBackends(ctx context.Context, object *unstructured.Unstructured) []diagnosis.Finding {
	split, _ := ingest.TrafficSplit(object)
	if split == nil {
		return nil
	}
	total := uint64(0)
	for _, backend := range split.Backends {
		total += uint64(backend.Weight)
	}
	var findings []diagnosis.Finding
	for _, backend := range split.Backends {
		if backend.Weight == 0 {
			continue
		}
		ready, err := s.readyEndpoints(ctx, backend.Service)
		switch {
		case err != nil:
			findings = append(findings, diagnosis.Unread("EndpointSlices of Service "+backend.Service.String(), err).About(object))
		case ready == 0:
			findings = append(findings, diagnosis.Warn("start its workload, or set its weight to 0",
				"backend %s gets %d%% of the requests and has no ready pod: they get status 503", backend.Service.Name, 100*uint64(backend.Weight)/total).About(object))
		}
	}
	return findings
}

// readyEndpoints counts the ready endpoints of a Service.
func (s Subject) readyEndpoints(ctx context.Context, service entity.Name) (ready int, err error) {
	var all discoveryv1.EndpointSliceList
	err = s.Client.List(ctx, &all, client.InNamespace(service.Namespace), client.MatchingLabels{discoveryv1.LabelServiceName: service.Name})
	for i := range all.Items {
		for _, e := range all.Items[i].Endpoints {
			if ptr.Deref(e.Conditions.Ready, true) {
				ready++
			}
		}
	}
	return ready, err
}
