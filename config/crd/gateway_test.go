package crd_test

import (
	"slices"
	"strings"
	"testing"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// testGatewayScheduling checks that the API server warns about the scheduling of a gateway that does not exist. It requires the policies
// of testPolicies.
func testGatewayScheduling(t *testing.T, server *rest.Config) {
	const warning = "Gateway has no effect: set mode to Managed, or remove its other fields"
	for spec, want := range map[string]string{
		"{}": "",
		"{ingressGateway: {mode: Managed, nodeSelector: {a: b}}}":                     "",
		"{egressGateway: {mode: Managed, priorityClassName: high}}":                   "",
		"{ingressGateway: {nodeSelector: {a: b}}}":                                    "spec.ingress" + warning,
		"{ingressGateway: {mode: Disabled, tolerations: [{key: a}]}}":                 "spec.ingress" + warning,
		"{egressGateway: {affinity: {}}}":                                             "spec.egress" + warning,
		"{egressGateway: {priorityClassName: high}}":                                  "spec.egress" + warning,
		"{ingressGateway: {mode: Managed}, egressGateway: {tolerations: [{key: a}]}}": "spec.egress" + warning,
	} {
		warned := &warnings{}
		c := warningClient(t, server, warned)
		if err := c.Create(t.Context(), parse(t, mesh("scheduled", spec)), client.DryRunAll); err != nil {
			t.Errorf("%s: %v", spec, err)
			continue
		}
		isWarned := slices.ContainsFunc(warned.texts, func(text string) bool { return strings.Contains(text, warning) })
		if want == "" && isWarned || want != "" && !warned.has(want) {
			t.Errorf("%s: the warnings are %q, want %q", spec, warned.texts, want)
		}
	}
}
