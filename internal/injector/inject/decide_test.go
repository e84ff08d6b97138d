package inject

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

func TestShouldInject(t *testing.T) {
	annotated := func(value string) map[string]string { return map[string]string{names.InjectionAnnotation: value} }
	labelled := map[string]string{names.MonitoredByLabel: "osm"}
	member := func(annotations map[string]string) Namespace {
		return Namespace{Name: "shop", Labels: labelled, Annotations: annotations}
	}
	tests := map[string]struct {
		ns     Namespace
		pod    map[string]string
		spec   corev1.PodSpec
		want   Decision
		reason string
		err    string
	}{
		"namespace on":                 {ns: member(annotated("enabled")), want: Decision{Inject: true}},
		"namespace yes, in capitals":   {ns: member(annotated("YES")), want: Decision{Inject: true}},
		"namespace off":                {ns: member(annotated("no")), reason: "of namespace shop turns injection off"},
		"no annotation":                {ns: member(nil), reason: "neither the pod nor namespace shop"},
		"pod on, namespace not set":    {ns: member(nil), pod: annotated("true"), want: Decision{Inject: true}},
		"pod on, namespace off":        {ns: member(annotated("disabled")), pod: annotated("enabled"), want: Decision{Inject: true}},
		"pod off, namespace on":        {ns: member(annotated("enabled")), pod: annotated("false"), reason: "the pod's annotation"},
		"pod invalid":                  {ns: member(annotated("enabled")), pod: annotated("maybe"), err: `of the pod is "maybe": use enabled or disabled`},
		"namespace invalid":            {ns: member(annotated("maybe")), err: `of the namespace shop is "maybe"`},
		"pod empty":                    {ns: member(annotated("enabled")), pod: annotated(""), err: `is "": use enabled`},
		"another mesh":                 {ns: Namespace{Name: "shop", Labels: map[string]string{names.MonitoredByLabel: "other"}, Annotations: annotated("enabled")}, reason: "not part of the mesh osm"},
		"no mesh":                      {ns: Namespace{Name: "shop", Annotations: annotated("enabled")}, pod: annotated("enabled"), reason: "not part of the mesh osm"},
		"ignored":                      {ns: Namespace{Name: "shop", Labels: map[string]string{names.MonitoredByLabel: "osm", names.IgnoreLabel: "true"}, Annotations: annotated("enabled")}, reason: "has the label openservicemesh.io/ignore"},
		"kube-node-lease":              {ns: Namespace{Name: "kube-node-lease", Labels: labelled, Annotations: annotated("enabled")}, reason: "belongs to Kubernetes"},
		"kube-system":                  {ns: Namespace{Name: "kube-system", Labels: labelled, Annotations: annotated("enabled")}, reason: "belongs to Kubernetes"},
		"kube-public":                  {ns: Namespace{Name: "kube-public", Labels: labelled, Annotations: annotated("enabled")}, reason: "belongs to Kubernetes"},
		"the mesh's own namespace":     {ns: Namespace{Name: "osm-system", Labels: labelled, Annotations: annotated("enabled")}, reason: "runs components of the mesh"},
		"host network":                 {ns: member(annotated("enabled")), spec: corev1.PodSpec{HostNetwork: true}, want: Decision{Unprotected: true}, reason: "uses the network of its node"},
		"host network, not requested":  {ns: member(nil), spec: corev1.PodSpec{HostNetwork: true}, reason: "neither"},
		"Windows by operating system":  {ns: member(annotated("enabled")), spec: corev1.PodSpec{OS: &corev1.PodOS{Name: corev1.Windows}}, want: Decision{Unprotected: true}, reason: "runs on Windows"},
		"Windows by node selector":     {ns: member(annotated("enabled")), spec: corev1.PodSpec{NodeSelector: map[string]string{"kubernetes.io/os": "windows"}}, want: Decision{Unprotected: true}, reason: "runs on Windows"},
		"static pod":                   {ns: member(annotated("enabled")), pod: map[string]string{"kubernetes.io/config.mirror": "f00"}, want: Decision{Unprotected: true}, reason: "mirrors a static pod"},
		"invalid pod outside the mesh": {ns: Namespace{Name: "kube-system"}, pod: annotated("maybe"), reason: "belongs to Kubernetes"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Annotations: test.pod}, Spec: test.spec}
			got, err := ShouldInject(pod, test.ns, testConfig())
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("error is %v, want one with %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.Inject != test.want.Inject || got.Unprotected != test.want.Unprotected || !strings.Contains(got.Reason, test.reason) {
				t.Errorf("decision is %+v, want inject %v, unprotected %v, a reason with %q", got, test.want.Inject, test.want.Unprotected, test.reason)
			}
		})
	}
}
