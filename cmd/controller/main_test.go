package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/controllers/controlplane"
	"github.com/openservicemesh/osm-operator/internal/certificate"
)

func TestCommand_FlagsSetConfig(t *testing.T) {
	defaults := controlplane.Config{
		Mesh: "osm", Namespace: "osm-system", TrustDomain: "cluster.local", LogLevel: "info", CADir: "/etc/osm/ca", WebhookCertDir: "/etc/osm/webhook",
		Key: certificate.KeySpec{Algorithm: certificate.ECDSA}, WriteStatus: true,
	}
	canary := defaults
	canary.WriteStatus = false
	other := controlplane.Config{
		Mesh: "m", Namespace: "n", TrustDomain: "t", Revision: "r", LogLevel: "debug", CADir: "/ca", WebhookCertDir: "/certs", WebhookClientCA: "pem",
		Key: certificate.KeySpec{Algorithm: certificate.RSA, Bits: 4096}, WriteStatus: true,
	}
	for _, c := range []struct {
		name string
		args []string
		want controlplane.Config
	}{
		{"defaults", nil, defaults},
		{"canary", []string{"--write-status=false"}, canary},
		{"all others", []string{
			"--mesh-name=m", "--osm-namespace=n", "--trust-domain=t", "--revision=r", "--log-level=debug", "--ca-dir=/ca",
			"--webhook-cert-dir=/certs", "--webhook-client-ca=pem", "--cert-key-algorithm=RSA", "--cert-key-size=4096",
		}, other},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got controlplane.Config
			if err := command(&got).ParseFlags(c.args); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
