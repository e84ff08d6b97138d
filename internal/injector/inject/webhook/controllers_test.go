package webhook

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// podsByController holds a pod of each workload kind, as its controller creates it.
var podsByController = map[string]string{
	"bare pod": `{metadata: {name: x}, spec: {containers: [{name: app, image: app}]}}`,
	"ReplicaSet": `
metadata: {generateName: x-6d5c7f9b8-, ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: x-6d5c7f9b8, uid: u, controller: true}]}
spec: {restartPolicy: Always, containers: [{name: app, image: app}]}`,
	"StatefulSet": `
metadata: {name: x-0, labels: {statefulset.kubernetes.io/pod-name: x-0, apps.kubernetes.io/pod-index: "0"}, ownerReferences: [{apiVersion: apps/v1, kind: StatefulSet, name: x, uid: u, controller: true}]}
spec: {hostname: x-0, subdomain: x, containers: [{name: app, image: app, volumeMounts: [{name: data, mountPath: /data}]}], volumes: [{name: data, persistentVolumeClaim: {claimName: data-x-0}}]}`,
	"DaemonSet": `
metadata: {generateName: x-, ownerReferences: [{apiVersion: apps/v1, kind: DaemonSet, name: x, uid: u, controller: true}]}
spec:
  containers: [{name: app, image: app}]
  affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchFields: [{key: metadata.name, operator: In, values: [node-1]}]}]}}}
  tolerations: [{key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute}]`,
	"Job": `
metadata: {generateName: x-, labels: {batch.kubernetes.io/job-name: x}, finalizers: [batch.kubernetes.io/job-tracking], ownerReferences: [{apiVersion: batch/v1, kind: Job, name: x, uid: u, controller: true}]}
spec: {restartPolicy: Never, containers: [{name: app, image: app}]}`,
	"CronJob": `
metadata: {generateName: x-29012345-, labels: {batch.kubernetes.io/job-name: x-29012345}, finalizers: [batch.kubernetes.io/job-tracking], ownerReferences: [{apiVersion: batch/v1, kind: Job, name: x-29012345, uid: u, controller: true}]}
spec: {restartPolicy: OnFailure, activeDeadlineSeconds: 60, initContainers: [{name: fetch, image: fetch}], containers: [{name: app, image: app}]}`,
}

func TestReview_InjectsPodsOfEveryController(t *testing.T) {
	for kind, text := range podsByController {
		t.Run(kind, func(t *testing.T) {
			before := &corev1.Pod{}
			if err := yaml.UnmarshalStrict([]byte(text), before); err != nil {
				t.Fatal(err)
			}
			raw, err := json.Marshal(before)
			if err != nil {
				t.Fatal(err)
			}
			body := review(t, func(r *admissionv1.AdmissionReview) { r.Request.Object.Raw = raw })
			answer := sendReview(t, newMemberCluster(), body)
			if !answer.Allowed {
				t.Fatalf("denied: %+v", answer.Result)
			}
			after, once := patched(t, body, answer)
			expectOnlySidecarAdded(t, before, after)
			again := review(t, func(r *admissionv1.AdmissionReview) { r.Request.Object.Raw = once })
			if answer := sendReview(t, newMemberCluster(), again); len(answer.Patch) != 0 {
				t.Errorf("a second review changes the pod: %s", answer.Patch)
			}
		})
	}
}

// expectOnlySidecarAdded fails the test if injection changed anything but the preStop hook else, because controllers compare pods with their template.
func expectOnlySidecarAdded(t *testing.T, before, after *corev1.Pod) {
	t.Helper()
	rest := after.DeepCopy()
	var added []string
	rest.Spec.InitContainers = slices.DeleteFunc(rest.Spec.InitContainers, func(c corev1.Container) bool {
		if c.Name != names.InitContainer && c.Name != names.SidecarContainer {
			return false
		}
		added = append(added, c.Name)
		return true
	})
	if diff := cmp.Diff([]string{names.InitContainer, names.SidecarContainer}, added); diff != "" {
		t.Errorf("injected containers differ (-want +got):\n%s", diff)
	}
	rest.Spec.Volumes = slices.DeleteFunc(rest.Spec.Volumes, func(v corev1.Volume) bool {
		return slices.Contains([]string{names.BootstrapVolume, names.TokenVolume, names.TrustVolume}, v.Name)
	})
	for i := range rest.Spec.Containers {
		// A pod that runs to completion has no requests to wait for.
		completes := before.Spec.RestartPolicy == corev1.RestartPolicyNever || before.Spec.RestartPolicy == corev1.RestartPolicyOnFailure
		if hooks := rest.Spec.Containers[i].Lifecycle; (hooks == nil) != completes {
			t.Errorf("container %s has the hooks %+v", rest.Spec.Containers[i].Name, hooks)
		}
		rest.Spec.Containers[i].Lifecycle = nil
	}
	maps.DeleteFunc(rest.Labels, func(key, _ string) bool { return key == names.ProxyUUIDLabel || key == names.RevisionLabel })
	if diff := cmp.Diff(normalize(before), normalize(rest)); diff != "" {
		t.Errorf("injection changed other fields (-before +after):\n%s", diff)
	}
}

// normalize converts a pod to plain maps, which treats absent and empty lists alike.
func normalize(pod *corev1.Pod) map[string]any {
	text, err := json.Marshal(pod)
	if err != nil {
		panic(err)
	}
	var plain map[string]any
	if err := json.Unmarshal(text, &plain); err != nil {
		panic(err)
	}
	return plain
}

// TestThreat29ExclusionsAreAudited checks that exclusions produce a warning for the user and an audit annotation.
func TestThreat29ExclusionsAreAudited(t *testing.T) {
	const pod = `{"metadata": {"name": "x", "annotations": {"openservicemesh.io/inbound-port-exclusion-list": "8080"}}, "spec": {"containers": [{"name": "app"}]}}`
	answer := sendReview(t, newMemberCluster(), review(t, func(r *admissionv1.AdmissionReview) { r.Request.Object.Raw = []byte(pod) }))
	want := map[string]string{"inbound-port-exclusion-list": "8080"}
	if diff := cmp.Diff(want, answer.AuditAnnotations); diff != "" || len(answer.Warnings) != 1 {
		t.Errorf("warnings %q, audit annotations (-want +got):\n%s", answer.Warnings, diff)
	}
	if answer := sendReview(t, newMemberCluster(), review(t, nil)); len(answer.AuditAnnotations) != 0 {
		t.Errorf("a pod without exclusions has audit annotations: %v", answer.AuditAnnotations)
	}
}

// TestReview_DeniesInvalidExclusions sets an invalid value in each annotation and in the MeshConfig.
func TestReview_DeniesInvalidExclusions(t *testing.T) {
	for annotation, value := range map[string]string{
		names.InboundPortExclusionAnnotation: "http", names.OutboundPortExclusionAnnotation: "0",
		names.OutboundIPRangeExclusionAnnotation: "10.0.0.1", names.OutboundIPRangeInclusionAnnotation: "example.com",
	} {
		pod := &corev1.Pod{}
		pod.Name, pod.Annotations = "x", map[string]string{annotation: value}
		pod.Spec.Containers = []corev1.Container{{Name: "app"}}
		raw, err := json.Marshal(pod)
		if err != nil {
			t.Fatal(err)
		}
		answer := sendReview(t, newMemberCluster(), review(t, func(r *admissionv1.AdmissionReview) { r.Request.Object.Raw = raw }))
		if answer.Allowed || answer.Result.Code != 403 {
			t.Errorf("%s=%s is allowed", annotation, value)
			continue
		}
		for _, part := range []string{"pod shop/x cannot get its sidecar: ", "the annotation " + annotation + " of the pod", `"` + value + `"`, "separated by commas"} {
			expectContains(t, answer.Result.Message, part)
		}
	}
	misset := newMemberCluster()
	misset.settings.Traffic.NetworkInterfaceExclusionList = []string{"a-name-that-is-too-long"}
	answer := sendReview(t, misset, review(t, nil))
	if answer.Allowed {
		t.Fatal("an invalid interface name is allowed")
	}
	expectContains(t, answer.Result.Message, "spec.traffic.networkInterfaceExclusionList of the MeshConfig")
}

func expectContains(t *testing.T, message, part string) {
	t.Helper()
	if !strings.Contains(message, part) {
		t.Errorf("the message does not contain %q: %s", part, message)
	}
}
