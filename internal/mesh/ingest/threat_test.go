package ingest

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// TestThreat36TargetOfAnotherNamespace checks that policies of one namespace cannot grant access to another one.
func TestThreat36TargetOfAnotherNamespace(t *testing.T) {
	target, problems := TrafficTarget(smi(t, `
destination: {kind: ServiceAccount, name: vault, namespace: bank}
sources: [{kind: ServiceAccount, name: me, namespace: shop}]
rules: [{kind: TCPRoute, name: all}]`))
	if target != nil || len(problems) != 1 || problems[0].Reason != ReasonForeignNamespace {
		t.Errorf("a target from shop to bank is %+v with the problems %v, want no entry and ForeignNamespace", target, problems)
	}
}

// TestThreat42Aliases checks that a Service of type ExternalName has no entry, whatever its DNS name.
func TestThreat42Aliases(t *testing.T) {
	for _, host := range []string{"kubernetes.default.svc.cluster.local", "169.254.169.254", "vault.bank.svc"} {
		if alias, _ := Service(read[corev1.Service](t, "spec: {type: ExternalName, externalName: "+host+", ports: [{port: 80}]}")); alias != nil {
			t.Errorf("an alias of %s has an entry: %+v", host, alias)
		}
	}
}
