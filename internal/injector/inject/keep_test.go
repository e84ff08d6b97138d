package inject

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// ofRequester is the record that the API server makes of a request for a pod with the given lists, in the format of managedFields.
func ofRequester(fields string) []metav1.ManagedFieldsEntry {
	return []metav1.ManagedFieldsEntry{{Manager: "kubectl", Operation: metav1.ManagedFieldsOperationUpdate, FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(fields)}}
}

const onlyApp = `{"f:spec":{"f:containers":{".":{},"k:{\"name\":\"app\"}":{".":{},"f:name":{}}},"f:initContainers":{".":{},"k:{\"name\":\"own\"}":{".":{},"f:name":{}}}}}`

// reviewTwice injects a pod, lets another admission step change it, and injects it again.
func reviewTwice(t *testing.T, fields []metav1.ManagedFieldsEntry, config Config, change func(*corev1.Pod)) (before, after *corev1.Pod) {
	t.Helper()
	pod := parsePod(t, `{spec: {initContainers: [{name: own}], containers: [{name: app, readinessProbe: {httpGet: {port: 80}}}]}}`)
	pod.ManagedFields = fields
	before, err := Mutate(pod, testNamespace(), config, "first")
	if err != nil {
		t.Fatal(err)
	}
	change(before)
	after, err = Mutate(before, testNamespace(), config, "second")
	if err != nil {
		t.Fatal(err)
	}
	return before, after
}

// TestRepeatedReviewChangesNothing repeats a review after changes of each field that the mesh does not need.
func TestRepeatedReviewChangesNothing(t *testing.T) {
	each := func(change func(*corev1.Container)) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			for i := range p.Spec.InitContainers {
				change(&p.Spec.InitContainers[i])
			}
		}
	}
	for name, change := range map[string]func(*corev1.Pod){
		"nothing":           func(*corev1.Pod) {},
		"image":             each(func(c *corev1.Container) { c.Image = "mirror/" + c.Image }),
		"image pull policy": each(func(c *corev1.Container) { c.ImagePullPolicy = corev1.PullAlways }),
		"environment":       each(func(c *corev1.Container) { c.Env = append(c.Env, corev1.EnvVar{Name: "REGION", Value: "eu"}) }),
		"environment from":  each(func(c *corev1.Container) { c.EnvFrom = []corev1.EnvFromSource{{Prefix: "x"}} }),
		"working directory": each(func(c *corev1.Container) { c.WorkingDir = "/" }),
		"limits": each(func(c *corev1.Container) {
			c.Resources.Limits = corev1.ResourceList{corev1.ResourceEphemeralStorage: resource.MustParse("1Gi")}
		}),
		"requests": each(func(c *corev1.Container) {
			c.Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("3m")}
		}),
		"resize policy": each(func(c *corev1.Container) {
			c.ResizePolicy = []corev1.ContainerResizePolicy{{ResourceName: corev1.ResourceCPU}}
		}),
		"security context": each(func(c *corev1.Container) { withAppArmor(c) }),
		"mounts": each(func(c *corev1.Container) {
			c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: "data", MountPath: "/data"})
		}),
		"ports": each(func(c *corev1.Container) {
			c.Ports = append(c.Ports, corev1.ContainerPort{Name: "other", ContainerPort: 9})
		}),
		"liveness":        each(func(c *corev1.Container) { c.LivenessProbe = &corev1.Probe{PeriodSeconds: 7} }),
		"termination":     each(func(c *corev1.Container) { c.TerminationMessagePath = "/dev/other" }),
		"volumes":         func(p *corev1.Pod) { p.Spec.Volumes[0].EmptyDir.SizeLimit = new(resource.MustParse("9Mi")) },
		"tolerations":     func(p *corev1.Pod) { p.Spec.Tolerations = []corev1.Toleration{{Key: "x"}} },
		"one more volume": func(p *corev1.Pod) { p.Spec.Volumes = append([]corev1.Volume{{Name: "other"}}, p.Spec.Volumes...) },
	} {
		for _, inPlace := range []bool{false, true} {
			config := testConfig()
			config.InPlace = inPlace
			before, after := reviewTwice(t, ofRequester(onlyApp), config, change)
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("%s, in place %t: the second review changes the pod (-before +after):\n%s", name, inPlace, diff)
			}
		}
	}
}

// TestRepeatedReviewPassesTheMemoryLimit checks that the sidecar knows a memory limit that another admission step has added, which remains.
func TestRepeatedReviewPassesTheMemoryLimit(t *testing.T) {
	_, after := reviewTwice(t, ofRequester(onlyApp), testConfig(), func(p *corev1.Pod) {
		for i := range p.Spec.InitContainers {
			p.Spec.InitContainers[i].Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")}
		}
	})
	preparation, sidecar := after.Spec.InitContainers[0], after.Spec.InitContainers[1]
	if !slices.ContainsFunc(preparation.Env, func(e corev1.EnvVar) bool { return e.Name == names.MemoryLimitEnv }) || sidecar.Resources.Limits.Memory().IsZero() {
		t.Errorf("osm-init has the variables %v, and the limits of the sidecar are %v", preparation.Env, sidecar.Resources.Limits)
	}
}

func withAppArmor(c *corev1.Container) {
	if c.SecurityContext == nil {
		c.SecurityContext = &corev1.SecurityContext{}
	}
	c.SecurityContext.AppArmorProfile = &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeRuntimeDefault}
}

// TestRepeatedReviewRestoresWhatTheMeshNeeds changes fields that the redirection and the identity of the sidecar depend on.
func TestRepeatedReviewRestoresWhatTheMeshNeeds(t *testing.T) {
	_, want := reviewTwice(t, ofRequester(onlyApp), testConfig(), func(*corev1.Pod) {})
	for name, change := range map[string]func(c *corev1.Container){
		"user":         func(c *corev1.Container) { c.SecurityContext.RunAsUser = new(int64(7)) },
		"capabilities": func(c *corev1.Container) { c.SecurityContext.Capabilities = nil },
		"no context":   func(c *corev1.Container) { c.SecurityContext = nil },
		"command":      func(c *corev1.Container) { c.Command = []string{"sh"} },
		"arguments":    func(c *corev1.Container) { c.Args = append(c.Args, "--more") },
		"environment":  func(c *corev1.Container) { c.Env = nil },
		"mounts":       func(c *corev1.Container) { c.VolumeMounts = nil },
		"token mount": func(c *corev1.Container) {
			c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: "kube-api-access", MountPath: apiTokenPath})
		},
		"restart policy": func(c *corev1.Container) { c.RestartPolicy = nil },
	} {
		_, after := reviewTwice(t, ofRequester(onlyApp), testConfig(), func(p *corev1.Pod) { change(&p.Spec.InitContainers[1]) })
		if diff := cmp.Diff(want, after); diff != "" {
			t.Errorf("%s is not restored (-want +got):\n%s", name, diff)
		}
	}
}

// TestRepeatedReviewAddsProbesOfLaterContainers adds a container with a probe after the first review, as another webhook does.
func TestRepeatedReviewAddsProbesOfLaterContainers(t *testing.T) {
	_, after := reviewTwice(t, ofRequester(onlyApp), testConfig(), func(p *corev1.Pod) {
		p.Spec.Containers = append(p.Spec.Containers, parsePod(t, `{spec: {containers: [{name: agent, livenessProbe: {httpGet: {port: 81}}}]}}`).Spec.Containers...)
		p.Spec.InitContainers[1].Image = "mirror/envoy"
	})
	if recorded := earlierDocument(after).Bootstrap.Probes; len(recorded) != 2 || after.Spec.InitContainers[1].Image != "mirror/envoy" {
		t.Errorf("probes are %v with image %s, want those of both containers and the image of the mirror", recorded, after.Spec.InitContainers[1].Image)
	}
}

// TestThreat32SubmittedPartsAreReplaced submits injected parts with a change. Nothing of them survives, whatever the record says about other fields.
func TestThreat32SubmittedPartsAreReplaced(t *testing.T) {
	for name, fields := range map[string][]metav1.ManagedFieldsEntry{
		"without a record":       nil,
		"an unreadable record":   ofRequester(`{"f:spec":`),
		"a record without one":   {{Manager: "x"}},
		"the sidecar":            ofRequester(`{"f:spec":{"f:initContainers":{"k:{\"name\":\"envoy\"}":{".":{},"f:name":{}}}}}`),
		"a field of it":          ofRequester(`{"f:spec":{"f:initContainers":{"k:{\"name\":\"envoy\"}":{"f:image":{}}}}}`),
		"another one of them":    ofRequester(`{"f:spec":{"f:initContainers":{"k:{\"name\":\"osm-init\"}":{".":{}}}}}`),
		"the list as a whole":    ofRequester(`{"f:spec":{"f:initContainers":{}}}`),
		"the pod as a whole":     ofRequester(`{"f:spec":{}}`),
		"by one of two managers": append(ofRequester(onlyApp), ofRequester(`{"f:spec":{"f:initContainers":{"k:{\"name\":\"envoy\"}":{".":{}}}}}`)...),
	} {
		_, after := reviewTwice(t, fields, testConfig(), func(p *corev1.Pod) { p.Spec.InitContainers[1].Image = "evil" })
		if c := after.Spec.InitContainers[1]; c.Image == "evil" || after.Labels[names.ProxyUUIDLabel] != "second" {
			t.Errorf("%s: the sidecar has the image %s, the pod the labels %v", name, c.Image, after.Labels)
		}
	}
	volumes := ofRequester(`{"f:spec":{"f:volumes":{"k:{\"name\":\"osm-token\"}":{".":{}}}}}`)
	_, after := reviewTwice(t, volumes, testConfig(), func(p *corev1.Pod) {
		at := slices.IndexFunc(p.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == names.TokenVolume })
		p.Spec.Volumes[at].VolumeSource = corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}
	})
	for _, v := range after.Spec.Volumes {
		if v.HostPath != nil {
			t.Errorf("the submitted volume %s survives", v.Name)
		}
	}
}
