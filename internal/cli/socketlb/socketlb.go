package socketlb

import (
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Setting is a setting of a network with which it replaces addresses of Services in pods.
type Setting struct {
	// Where is the object that has the setting, "<kind> <namespace>/<name>".
	Where string
	// Problem is the setting, and Remedy what to set instead.
	Problem, Remedy string
}

// Find returns the settings of Cilium and of the eBPF data plane of Calico. Networks that are not installed have none. An error is about
// settings that could not be read, and the result has the others.
func Find(ctx context.Context, reader client.Reader) ([]Setting, error) {
	var found []Setting
	var problems []error
	for _, find := range []func(context.Context, client.Reader) (*Setting, error){findCilium, findCalico} {
		setting, err := find(ctx, reader)
		if setting != nil {
			found = append(found, *setting)
		}
		problems = append(problems, err)
	}
	return found, errors.Join(problems...)
}

// ciliumConfig is the ConfigMap with the settings of Cilium's agents. Most installations have it in kube-system.
var ciliumConfig = []client.ObjectKey{{Namespace: "kube-system", Name: "cilium-config"}, {Namespace: "cilium", Name: "cilium-config"}}

func findCilium(ctx context.Context, reader client.Reader) (*Setting, error) {
	for _, key := range ciliumConfig {
		config := &corev1.ConfigMap{}
		err := reader.Get(ctx, key, config)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("the settings of Cilium cannot be read: %w", err)
		}
		if !replacesInPods(config.Data) {
			return nil, nil
		}
		return &Setting{
			Where:   "ConfigMap " + key.String(),
			Problem: "Cilium replaces addresses of Services when applications in pods connect (bpf-lb-sock-hostns-only is not true)",
			Remedy:  "set socketLB.hostNamespaceOnly to true in the values of Cilium's chart, and restart its agents",
		}, nil
	}
	return nil, nil
}

// replacesInPods reports whether Cilium's load balancing at sockets is enabled in pods. The replacement of kube-proxy includes it.
func replacesInPods(settings map[string]string) bool {
	if settings["bpf-lb-sock-hostns-only"] == "true" {
		return false
	}
	replacement := strings.ToLower(settings["kube-proxy-replacement"])
	return settings["bpf-lb-sock"] == "true" || replacement == "true" || replacement == "strict"
}

// felixConfiguration is the kind of the settings of Calico's agents, in the API server. Calico's own API server has a copy.
var felixConfiguration = schema.GroupVersionKind{Group: "crd.projectcalico.org", Version: "v1", Kind: "FelixConfiguration"}

func findCalico(ctx context.Context, reader client.Reader) (*Setting, error) {
	config := &unstructured.Unstructured{}
	config.SetGroupVersionKind(felixConfiguration)
	err := reader.Get(ctx, client.ObjectKey{Name: "default"}, config)
	switch {
	case apierrors.IsNotFound(err), meta.IsNoMatchError(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("the settings of Calico cannot be read: %w", err)
	}
	enabled, _, _ := unstructured.NestedBool(config.Object, "spec", "bpfEnabled")
	// Releases before 3.28 have a switch instead, which has precedence if it is false.
	older, hasOlder, _ := unstructured.NestedBool(config.Object, "spec", "bpfConnectTimeLoadBalancingEnabled")
	balancing, _, _ := unstructured.NestedString(config.Object, "spec", "bpfConnectTimeLoadBalancing")
	if !enabled || balancing == "Disabled" || hasOlder && !older {
		return nil, nil
	}
	return &Setting{
		Where:   "FelixConfiguration default",
		Problem: "Calico replaces addresses of Services when applications connect (bpfConnectTimeLoadBalancing is not Disabled)",
		Remedy:  "set bpfConnectTimeLoadBalancing to Disabled and bpfHostNetworkedNATWithoutCTLB to Enabled",
	}, nil
}
