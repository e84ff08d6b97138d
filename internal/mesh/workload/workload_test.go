package workload_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/workload"
)

func TestOf(t *testing.T) {
	pod := func(kind, name, hash string) *corev1.Pod {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "cart-x"}}
		if hash != "" {
			p.Labels = map[string]string{"pod-template-hash": hash}
		}
		if kind != "" {
			p.OwnerReferences = []metav1.OwnerReference{{Kind: "Other", Name: "other"}, {Kind: kind, Name: name, Controller: new(true)}}
		}
		return p
	}
	for name, test := range map[string]struct {
		pod  *corev1.Pod
		want workload.Reference
	}{
		"a pod of its own":                       {pod("", "", ""), workload.Reference{Kind: "Pod", Name: "cart-x"}},
		"a pod with a forged hash":               {pod("", "", "x"), workload.Reference{Kind: "Pod", Name: "cart-x"}},
		"a Deployment":                           {pod("ReplicaSet", "cart-v1-5d8f", "5d8f"), workload.Reference{Kind: "Deployment", Name: "cart-v1"}},
		"a ReplicaSet of its own":                {pod("ReplicaSet", "cart-v1", ""), workload.Reference{Kind: "ReplicaSet", Name: "cart-v1"}},
		"a ReplicaSet with another hash":         {pod("ReplicaSet", "cart-v1", "5d8f"), workload.Reference{Kind: "ReplicaSet", Name: "cart-v1"}},
		"a StatefulSet":                          {pod("StatefulSet", "mysql", ""), workload.Reference{Kind: "StatefulSet", Name: "mysql"}},
		"a StatefulSet with a Deployment's hash": {pod("StatefulSet", "mysql-5d8f", "5d8f"), workload.Reference{Kind: "StatefulSet", Name: "mysql-5d8f"}},
	} {
		if got := workload.Of(test.pod); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}
