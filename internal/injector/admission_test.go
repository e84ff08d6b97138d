package injector

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
)

// otherPolicies are policies that change all init containers, each in another field, as the API server's own expressions. check reports what is lost.
func otherPolicies() map[string]struct {
	expression string
	check      func(c corev1.Container) error
} {
	type policy = struct {
		expression string
		check      func(c corev1.Container) error
	}
	apply := func(fields string) string {
		return `Object{spec: Object.spec{initContainers: object.spec.initContainers.map(c, Object.spec.initContainers{name: c.name, ` + fields + `})}}`
	}
	expect := func(got, want any) error {
		if fmt.Sprint(got) != fmt.Sprint(want) {
			return fmt.Errorf("got %v, want %v", got, want)
		}
		return nil
	}
	return map[string]policy{
		"image": {apply(`image: c.image.startsWith("mirror/") ? c.image : "mirror/" + c.image`), func(c corev1.Container) error {
			return expect(strings.HasPrefix(c.Image, "mirror/"), true)
		}},
		"image pull policy": {apply(`imagePullPolicy: "Always"`), func(c corev1.Container) error { return expect(c.ImagePullPolicy, corev1.PullAlways) }},
		"environment": {apply(`env: [Object.spec.initContainers.env{name: "REGION", value: "eu"}]`), func(c corev1.Container) error {
			for _, e := range c.Env {
				if e.Name == "REGION" {
					return expect(e.Value, "eu")
				}
			}
			return fmt.Errorf("REGION is missing in %v", c.Env)
		}},
		"resources": {apply(`resources: Object.spec.initContainers.resources{requests: {"cpu": "25m"}, limits: {"memory": "200Mi"}}`), func(c corev1.Container) error {
			return expect([]string{c.Resources.Requests.Cpu().String(), c.Resources.Limits.Memory().String()}, []string{"25m", "200Mi"})
		}},
		"security context": {
			apply(`securityContext: Object.spec.initContainers.securityContext{appArmorProfile: Object.spec.initContainers.securityContext.appArmorProfile{type: "RuntimeDefault"}}`),
			func(c corev1.Container) error {
				if c.SecurityContext.AppArmorProfile == nil {
					return fmt.Errorf("the AppArmor profile is missing")
				}
				return nil
			},
		},
		"mounts": {apply(`volumeMounts: [Object.spec.initContainers.volumeMounts{name: "data", mountPath: "/corporate"}]`), func(c corev1.Container) error {
			for _, m := range c.VolumeMounts {
				if m.MountPath == "/corporate" {
					return nil
				}
			}
			return fmt.Errorf("the mount is missing in %v", c.VolumeMounts)
		}},
		"termination message": {apply(`terminationMessagePath: "/dev/other"`), func(c corev1.Container) error { return expect(c.TerminationMessagePath, "/dev/other") }},
	}
}

// createPolicy lets the API server change the pods of one namespace.
func (h *harness) createPolicy(t *testing.T, namespace, expression string) {
	t.Helper()
	text := fmt.Sprintf(`{"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingAdmissionPolicy", "metadata": {"name": %q}, "spec": {
		"failurePolicy": "Fail", "reinvocationPolicy": "IfNeeded", "matchConstraints": {
			"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": %q}},
			"resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}]},
		"matchConditions": [{"name": "has", "expression": "has(object.spec.initContainers)"}],
		"mutations": [{"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": ""}}]}}`, namespace, namespace)
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &object.Object); err != nil {
		t.Fatal(err)
	}
	mutation := object.Object["spec"].(map[string]any)["mutations"].([]any)[0].(map[string]any)
	mutation["applyConfiguration"] = map[string]any{"expression": expression}
	h.create(t, object)
	binding := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": admissionv1.SchemeGroupVersion.String(), "kind": "MutatingAdmissionPolicyBinding",
		"metadata": map[string]any{"name": namespace}, "spec": map[string]any{"policyName": namespace},
	}}
	h.create(t, binding)
}

// keepsPoliciesOfOthers creates pods that a policy changes before and after their injection.
func (h *harness) keepsPoliciesOfOthers(t *testing.T) {
	for name, policy := range otherPolicies() {
		t.Run(name, func(t *testing.T) {
			namespace := "policy-" + strings.ReplaceAll(name, " ", "-")
			h.createMember(t, namespace)
			h.createPolicy(t, namespace, policy.expression)
			pod := newPod(namespace, "app")
			pod.Spec.Volumes = []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
			pod.Spec.InitContainers = []corev1.Container{{Name: "own", Image: "own:1"}}
			eventually.Succeeds(t, timeout, "the policy has its effect", func() error {
				created := pod.DeepCopy()
				if err := h.Create(context.Background(), created, client.DryRunAll); err != nil {
					return err
				}
				for _, c := range created.Spec.InitContainers {
					if err := policy.check(c); err != nil {
						return fmt.Errorf("container %s: %w", c.Name, err)
					}
				}
				return expectSidecar(created)
			})
		})
	}
}

// expectSidecar reports an injection that does not work.
func expectSidecar(pod *corev1.Pod) error {
	if len(pod.Spec.InitContainers) < 2 || pod.Spec.InitContainers[0].Name != names.InitContainer || pod.Spec.InitContainers[1].Name != names.SidecarContainer {
		return fmt.Errorf("the init containers are %d, want osm-init and the sidecar first", len(pod.Spec.InitContainers))
	}
	for _, c := range pod.Spec.InitContainers[:2] {
		if c.SecurityContext.RunAsUser == nil || c.SecurityContext.Capabilities == nil {
			return fmt.Errorf("container %s has the security context %v", c.Name, c.SecurityContext)
		}
	}
	return nil
}

// keepsDefaultsOfLimitRanges creates pods beside each kind of LimitRange, and a ResourceQuota that requires all four values of every container.
func (h *harness) keepsDefaultsOfLimitRanges(t *testing.T) {
	for name, test := range map[string]struct{ limits, want string }{
		"defaults":                   {`{type: Container, default: {cpu: 200m, memory: 128Mi}, defaultRequest: {cpu: 10m, memory: 64Mi}}`, "10m 64Mi 200m 128Mi"},
		"defaults below our request": {`{type: Container, default: {cpu: 8m, memory: 32Mi}}`, "8m 32Mi 8m 32Mi"},
		"a minimum":                  {`{type: Container, min: {cpu: 50m, memory: 100Mi}, default: {cpu: 100m, memory: 200Mi}}`, "100m 200Mi 100m 200Mi"},
		"a maximum":                  {`{type: Container, max: {cpu: 100m, memory: 48Mi}}`, "100m 48Mi 100m 48Mi"},
	} {
		t.Run(name, func(t *testing.T) {
			namespace := "limits-" + strings.ReplaceAll(name, " ", "-")
			h.createMember(t, namespace)
			item := corev1.LimitRangeItem{}
			if err := yaml.UnmarshalStrict([]byte(test.limits), &item); err != nil {
				t.Fatal(err)
			}
			h.create(t, &corev1.LimitRange{ObjectMeta: metav1.ObjectMeta{Name: "defaults", Namespace: namespace}, Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{item}}})
			h.createQuota(t, namespace)
			eventually.Succeeds(t, timeout, "the pod has the values of the LimitRange", func() error {
				pod := newPod(namespace, "app")
				if err := h.Create(context.Background(), pod, client.DryRunAll); err != nil {
					return err
				}
				for _, c := range pod.Spec.InitContainers {
					r := c.Resources
					got := fmt.Sprint(r.Requests.Cpu(), r.Requests.Memory(), r.Limits.Cpu(), r.Limits.Memory())
					if got != test.want {
						return fmt.Errorf("container %s has %s, want %s", c.Name, got, test.want)
					}
				}
				return expectSidecar(pod)
			})
		})
	}
}

// createQuota creates a ResourceQuota with the status that its controller would write.
func (h *harness) createQuota(t *testing.T, namespace string) {
	t.Helper()
	hard := corev1.ResourceList{}
	for _, name := range []corev1.ResourceName{corev1.ResourceRequestsCPU, corev1.ResourceRequestsMemory, corev1.ResourceLimitsCPU, corev1.ResourceLimitsMemory} {
		hard[name] = resource.MustParse("8Gi")
	}
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "quota", Namespace: namespace}, Spec: corev1.ResourceQuotaSpec{Hard: hard}}
	h.create(t, quota)
	used := corev1.ResourceList{}
	for name := range hard {
		used[name] = resource.Quantity{}
	}
	quota.Status = corev1.ResourceQuotaStatus{Hard: hard, Used: used}
	if err := h.Status().Update(context.Background(), quota); err != nil {
		t.Fatal(err)
	}
}

// replacesSubmittedSidecars submits the sidecar of another pod with changes. They must not survive, also beside a LimitRange, which causes a second review.
func (h *harness) replacesSubmittedSidecars(t *testing.T) {
	h.createMember(t, "copies")
	h.create(t, &corev1.LimitRange{ObjectMeta: metav1.ObjectMeta{Name: "defaults", Namespace: "copies"}, Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{
		Type: corev1.LimitTypeContainer, Default: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("128Mi")},
	}}}})
	original := newPod("copies", "original")
	h.create(t, original)
	for name, change := range map[string]func(*corev1.Pod){
		"the container": func(*corev1.Pod) {},
		"twice":         func(p *corev1.Pod) { p.Spec.InitContainers = append(p.Spec.InitContainers, p.Spec.InitContainers[1]) },
		"with a forged record": func(p *corev1.Pod) {
			p.ManagedFields = []metav1.ManagedFieldsEntry{{
				Manager: "forged", Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: "v1", FieldsType: "FieldsV1",
				FieldsV1: metav1.NewFieldsV1(`{"f:metadata":{"f:labels":{}}}`),
			}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			copied := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "copy", Namespace: "copies", Labels: original.Labels}, Spec: *original.Spec.DeepCopy()}
			copied.Spec.NodeName = ""
			sidecar := &copied.Spec.InitContainers[1]
			sidecar.Image, sidecar.Env = "evil:1", append(sidecar.Env, corev1.EnvVar{Name: "EVIL", Value: "yes"})
			change(copied)
			err := h.Create(context.Background(), copied, client.DryRunAll)
			if name == "twice" && apierrors.IsInvalid(err) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			text, _ := json.Marshal(copied.Spec.InitContainers)
			if image := copied.Spec.InitContainers[1].Image; image == "evil:1" || len(copied.Spec.InitContainers) != 2 {
				t.Errorf("the submitted sidecar survives: %s", text)
			}
			for _, e := range copied.Spec.InitContainers[1].Env {
				if e.Name == "EVIL" {
					t.Errorf("the environment of the submitted sidecar survives: %s", text)
				}
			}
			if copied.Labels[names.ProxyUUIDLabel] == original.Labels[names.ProxyUUIDLabel] {
				t.Error("the copy has the identifier of the original")
			}
		})
	}
}

// acceptsResourcesOfPods creates pods with resources for all their containers together, below what a sidecar requests alone.
func (h *harness) acceptsResourcesOfPods(t *testing.T) {
	h.createMember(t, "pod-level")
	for name, text := range map[string]string{
		"requests": `{requests: {cpu: 5m, memory: 16Mi}}`,
		"limits":   `{requests: {cpu: 50m, memory: 32Mi}, limits: {cpu: 200m, memory: 64Mi}}`,
		"only CPU": `{limits: {cpu: 100m}}`,
	} {
		pod := newPod("pod-level", "app")
		pod.Spec.Resources = &corev1.ResourceRequirements{}
		if err := yaml.UnmarshalStrict([]byte(text), pod.Spec.Resources); err != nil {
			t.Fatal(err)
		}
		if err := h.Create(context.Background(), pod, client.DryRunAll); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := expectSidecar(pod); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
