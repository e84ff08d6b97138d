package analyze

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/cli/creation"
	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/cli/manifests"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/cli/remaining"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// workloads analyzes the sidecars of pods and reports findings for their workloads.
func (a *analysis) workloads() {
	type fault struct {
		code     string
		workload manifests.Workload
	}
	pods := map[fault][]*unstructured.Unstructured{}
	for _, object := range a.mesh.Objects {
		if object.GetKind() != "Pod" {
			continue
		}
		if code := a.sidecar(object); code != "" {
			f := fault{code, manifests.OwnerOf(object)}
			pods[f] = append(pods[f], object)
		}
	}
	for f, list := range pods {
		// Pods have the annotations of their pod template.
		s := subject{kind: f.workload.Kind, namespace: f.workload.Namespace, name: f.workload.Name, object: list[0]}
		n := output.Count(len(list), "pod")
		restart := f.workload.Restart()
		switch f.code {
		case codeHostNetwork:
			a.add(f.code, s, "%s on the host network: without a sidecar, and rejected by workloads in the mesh. Disable hostNetwork.", n)
		case codeNotInjected:
			a.notInjected(s, list[0], n)
		case codeMadeBefore:
			a.add(f.code, s, "%s without a sidecar, although injection is enabled: %s.", n, restart)
		case codeRemaining:
			a.add(f.code, s, "%s with a sidecar, although namespace %s is not part of mesh %s any more: %s: %s.", n, s.namespace, a.mesh.Name, remaining.Effect, restart)
		case codeKeptSidecar:
			a.add(f.code, s, "%s with a sidecar, although %s: policies apply until a restart, which removes the sidecar.", n, a.whyNot(list[0]))
		case codeOldSidecar:
			a.add(f.code, s, "%s with a sidecar of %s, while the control plane is %s: %s.", n,
				cmp.Or(list[0].GetLabels()[names.RevisionLabel], "an unknown version"), a.mesh.Revision, restart)
		}
	}
}

// notInjected reports pods without injection. If the mesh expects them behind a Service, or nobody could have meant the annotation, it is a warning.
func (a *analysis) notInjected(s subject, pod *unstructured.Unstructured, pods string) {
	severity, effect := a.codes[codeNotInjected].Severity, ""
	if word := pod.GetAnnotations()[names.InjectionAnnotation]; word != "" && !isSwitch(word) {
		severity, effect = diagnosis.Warning, " No new pod starts with it: write enabled or disabled."
	}
	if entry, _ := a.mesh.Loaded.Entries[podRef(pod)].(*inventory.Instance); entry != nil {
		if services := a.view.ServicesOfPod(entry); len(services) > 0 {
			severity, effect = diagnosis.Warning, fmt.Sprintf(" Service %s selects them, but sidecars send them no requests.%s", services[0], effect)
		}
	}
	a.reportf(codeNotInjected, severity, s, "%s without a sidecar, because %s.%s", pods, a.whyNot(pod), effect)
}

// meshes are all meshes, for the question which sidecars remained.
func (a *analysis) meshes() remaining.Meshes {
	return remaining.Meshes{Name: a.mesh.Name, All: a.mesh.Meshes, Systems: append(slices.Clone(a.mesh.Systems), a.mesh.Namespace)}
}

func podRef(pod *unstructured.Unstructured) entity.Ref {
	return entity.Ref{Kind: entity.KindPod, Name: entity.Name{Namespace: pod.GetNamespace(), Name: pod.GetName()}}
}

// isSwitch reports whether the injector knows the value of an annotation.
func isSwitch(word string) bool {
	return enabled(word) || slices.Contains([]string{"disabled", "no", "false"}, strings.ToLower(strings.TrimSpace(word)))
}

// sidecar returns the code for a problem with the sidecar of a pod, or "".
func (a *analysis) sidecar(pod *unstructured.Unstructured) string {
	entry, _ := a.mesh.Loaded.Entries[podRef(pod)].(*inventory.Instance)
	if entry == nil || entry.Finished || pod.GetDeletionTimestamp() != nil {
		return ""
	}
	if a.meshes().Sidecar(entry, a.members[pod.GetNamespace()]) {
		return codeRemaining
	}
	if !a.view.InMesh(pod.GetNamespace()) || names.IsSystemNamespace(pod.GetNamespace()) {
		return ""
	}
	switch {
	case onHost(pod):
		return codeHostNetwork
	case entry.OSMSidecar, entry.Injected && a.mesh.Revision != "" && desired.FirstRevision(entry.Revision) != a.mesh.Revision:
		return codeOldSidecar
	case entry.Injected && !a.mesh.Partial && a.whyNot(pod) != "":
		return codeKeptSidecar
	case entry.Injected:
		return ""
	case a.whyNot(pod) != "":
		return codeNotInjected
	}
	return codeMadeBefore
}

// whyNot returns why a pod should have no sidecar, or "".
func (a *analysis) whyNot(pod *unstructured.Unstructured) string {
	return whyNot(pod, a.objects[entity.Ref{Kind: entity.KindNamespace, Name: entity.Name{Name: pod.GetNamespace()}}])
}

// NotInjected returns why a pod among objects gets no sidecar when it is created again; empty if it gets one.
func NotInjected(objects []*unstructured.Unstructured, name entity.Name) string {
	var pod, namespace *unstructured.Unstructured
	for _, object := range objects {
		switch {
		case object.GetKind() == "Pod" && object.GetNamespace() == name.Namespace && object.GetName() == name.Name:
			pod = object
		case object.GetKind() == "Namespace" && object.GetName() == name.Namespace:
			namespace = object
		}
	}
	switch {
	case pod == nil:
		return ""
	case onHost(pod):
		return "it is on the host network"
	}
	return whyNot(pod, namespace)
}

// onHost reports whether a pod is on the host network, or one of the node itself.
func onHost(pod *unstructured.Unstructured) bool {
	host, _, _ := unstructured.NestedBool(pod.Object, "spec", "hostNetwork")
	_, mirror := pod.GetAnnotations()[corev1.MirrorPodAnnotationKey]
	return host || mirror
}

// whyNot returns why a pod of a namespace should have no sidecar, or "". The namespace may be nil.
func whyNot(pod, namespace *unstructured.Unstructured) string {
	if word, said := pod.GetAnnotations()[names.InjectionAnnotation]; said {
		if enabled(word) {
			return ""
		}
		return fmt.Sprintf("its annotation %s is %q", names.InjectionAnnotation, word)
	}
	if namespace == nil {
		return ""
	}
	word, said := namespace.GetAnnotations()[names.InjectionAnnotation]
	switch {
	case !said:
		return fmt.Sprintf("neither it nor its namespace has the annotation %s", names.InjectionAnnotation)
	case !enabled(word):
		return fmt.Sprintf("the annotation %s of its namespace is %q", names.InjectionAnnotation, word)
	}
	return ""
}

func enabled(word string) bool {
	return slices.Contains([]string{"enabled", "yes", "true"}, strings.ToLower(strings.TrimSpace(word)))
}

// namespaces analyzes the labels of namespaces.
func (a *analysis) namespaces() {
	members := 0
	for _, object := range a.mesh.Objects {
		if object.GetKind() != "Namespace" {
			continue
		}
		mesh, labelled := object.GetLabels()[names.MonitoredByLabel]
		s := subjectOf(object)
		if !labelled {
			if enabled(object.GetAnnotations()[names.InjectionAnnotation]) {
				a.add(codeNoLabel, s, "Its annotation %s has no effect without the label %s: run `osm namespace add %s`, or remove the annotation.", names.InjectionAnnotation, names.MonitoredByLabel, s.name)
			}
			continue
		}
		if mesh == a.mesh.Name {
			members++
			a.injection(s, object)
			a.otherMeshes(s, object)
			if names.IsSystemNamespace(object.GetName()) {
				a.add(codeSystem, s, "It belongs to Kubernetes, so its pods never get a sidecar: run osm namespace remove %s --mesh-name %s.", object.GetName(), mesh)
			}
		}
		if a.mesh.Meshes != nil && !slices.Contains(a.mesh.Meshes, mesh) {
			a.add(codeNoSuchMesh, s, "Its label is for mesh %q, which does not exist (%s): correct the label %s, or remove it.", mesh, meshesText(a.mesh.Meshes), names.MonitoredByLabel)
		}
		if _, ignored := object.GetLabels()[names.IgnoreLabel]; ignored {
			a.add(codeIgnored, s, "It is added to mesh %s and has the label %s, which takes precedence: remove one of the labels.", mesh, names.IgnoreLabel)
		}
		if level := object.GetLabels()["pod-security.kubernetes.io/enforce"]; mesh == a.mesh.Name && (level == "baseline" || level == "restricted") {
			a.add(codePodSecurity, s, "It enforces the pod security level %s, which forbids the init container of sidecars: run kubectl label namespace %s pod-security.kubernetes.io/enforce=privileged --overwrite.", level, object.GetName())
		}
	}
	if members == 0 && !a.mesh.Partial {
		a.add(codeNoMembers, subject{kind: "Mesh", name: a.mesh.Name}, "The mesh has no namespaces: add one with `osm namespace add NAMESPACE`.")
	}
}

// injection analyzes the annotation for injection of a namespace of the mesh.
func (a *analysis) injection(s subject, namespace *unstructured.Unstructured) {
	word, said := namespace.GetAnnotations()[names.InjectionAnnotation]
	switch {
	case names.IsSystemNamespace(namespace.GetName()):
	case said && !isSwitch(word):
		a.add(codeBadSwitch, s, "Its annotation %s is %q, so no pod can start: write enabled or disabled.", names.InjectionAnnotation, word)
	case !said:
		bare := 0
		for _, object := range a.mesh.Objects {
			if object.GetKind() == "Pod" && object.GetNamespace() == namespace.GetName() && object.GetAnnotations()[names.InjectionAnnotation] == "" && a.sidecar(object) == codeNotInjected {
				bare++
			}
		}
		if bare > 0 {
			a.add(codeNoInjection, s, "It has the label of the mesh, but no annotation %s, so %s without a sidecar: run `osm namespace add %s` and restart the pods.",
				names.InjectionAnnotation, output.Count(bare, "pod")+" run", namespace.GetName())
		}
	}
}

func meshesText(meshes []string) string {
	if len(meshes) == 0 {
		return "no mesh exists"
	}
	return "existing: " + strings.Join(meshes, ", ")
}

// readUncreated reads the workloads of the mesh whose pods cannot be created.
func (a *analysis) readUncreated(ctx context.Context, c client.Reader) {
	all, err := creation.Find(ctx, c, "", a.mesh.Now)
	if err != nil {
		a.gap("workloads whose pods cannot be created", err)
	}
	a.uncreated = slices.DeleteFunc(all, func(f creation.Failure) bool { return !a.view.InMesh(f.Namespace) && f.Namespace != a.mesh.Namespace })
}

// reportUncreated reports them.
func (a *analysis) reportUncreated() {
	for _, f := range a.uncreated {
		a.add(codeUncreated, subject{kind: f.Kind, namespace: f.Namespace, name: f.Name}, "%s: %s.", f.Message(), f.Remedy())
	}
}

// uncreatedBehind returns the workload whose pods a Service would select if they could be created.
func (a *analysis) uncreatedBehind(service *inventory.Service) (creation.Failure, bool) {
	at := slices.IndexFunc(a.uncreated, func(f creation.Failure) bool {
		return f.Namespace == service.Name.Namespace && f.Selects(service.Selector)
	})
	if at < 0 {
		return creation.Failure{}, false
	}
	return a.uncreated[at], true
}
