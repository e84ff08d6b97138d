package checks_test

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func clientPolicy(kind, namespace, name string, spec map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "policy.openservicemesh.io/v1alpha1", "kind": kind,
		"metadata": map[string]any{"namespace": namespace, "name": name}, "spec": spec,
	}}
}

func TestPreInstallFindsSourcesOfOtherNamespaces(t *testing.T) {
	source := func(namespace string) map[string]any {
		return map[string]any{"kind": "ServiceAccount", "name": "till", "namespace": namespace}
	}
	s := subject(t,
		clientPolicy("Retry", "shop", "own", map[string]any{"source": source("shop")}),
		clientPolicy("Retry", "shop", "till", map[string]any{"source": source("billing")}),
		clientPolicy("Egress", "shop", "own", map[string]any{"sources": []any{source("shop")}}),
		clientPolicy("Egress", "shop", "mixed", map[string]any{"sources": []any{source("shop"), source("billing")}}),
		clientPolicy("Egress", "shop", "none", map[string]any{}),
	)
	groups := s.PreInstall(t.Context())
	contains(t, groups,
		"warning: sources of another namespace have no effect in this mesh, and these objects of kind Egress have some: shop/mixed",
		"warning: sources of another namespace have no effect in this mesh, and these objects of kind Retry have some: shop/till")
	for _, group := range groups {
		for _, result := range group.Parts {
			if strings.Contains(result.Message, "shop/own") || strings.Contains(result.Message, "shop/none") {
				t.Errorf("%s", result.Message)
			}
		}
	}
}
