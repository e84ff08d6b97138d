package leftovers

import "testing"

func TestRulesWithoutProxy(t *testing.T) {
	const others = "*nat\n:PREROUTING ACCEPT [0:0]\n-A POSTROUTING -s 10.1.0.0/16 -j MASQUERADE\nCOMMIT\n"
	const both = "*nat\n:PREROUTING ACCEPT [0:0]\n:KUBE-SERVICES - [0:0]\n-A PREROUTING -m comment --comment x -j KUBE-SERVICES\n" +
		"-A POSTROUTING -s 10.1.0.0/16 -j MASQUERADE\n-A KUBE-SERVICES -d 10.96.0.1/32 -j KUBE-SVC-A\nCOMMIT\n"
	if got := withoutProxy(both); got != others {
		t.Errorf("these rules remain: %s", got)
	}
	if got := withoutProxy(others); got != others {
		t.Errorf("rules of others became %s", got)
	}
}
