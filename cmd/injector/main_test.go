package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/injector"
)

func TestCommand_FlagsSetConfig(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		want injector.Config
	}{
		{"defaults", nil, injector.Config{
			Mesh: "osm", Namespace: "osm-system", TrustDomain: "cluster.local", LogLevel: "info", WebhookCertDir: "/etc/osm/webhook", EnvoyImage: "envoy:1",
		}},
		{"all", []string{
			"--mesh-name=m", "--osm-namespace=n", "--trust-domain=t", "--revision=r", "--log-level=debug", "--webhook-cert-dir=/certs",
			"--webhook-client-ca=pem", "--xds-host=h",
		}, injector.Config{
			Mesh: "m", Namespace: "n", TrustDomain: "t", Revision: "r", LogLevel: "debug", WebhookCertDir: "/certs",
			WebhookClientCA: "pem", XDSHost: "h", EnvoyImage: "envoy:1",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := injector.Config{EnvoyImage: "envoy:1"}
			if err := command(&got).ParseFlags(c.args); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
