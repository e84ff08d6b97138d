package crd_test

import (
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// gates returns a Mesh with upgrade gates in YAML.
func gates(text string) string { return mesh("osm", "{upgrade: {gates: "+text+"}}") }

// plane returns a Mesh with restart settings in YAML.
func plane(text string) string { return mesh("osm", "{upgrade: {dataPlane: "+text+"}}") }

func testUpgrade(t *testing.T, c client.Client) {
	const noAddress = "is not the address of a Prometheus server: write an http or https URL without user, query and fragment, for example http://prometheus.monitoring.svc:9090"
	checkCreations(t, c, []creation{
		{"with all gates", gates("{soak: 1m, timeout: 10s, maxErrorRateIncrease: 0.5%, maxRejectedConfigs: 1, maxDisconnected: 2%, maxRestarts: 0, prometheus: {address: 'http://prometheus.monitoring.svc:9090/base', query: 'vector(0)'}}"), ""},
		{"invalid soak", gates("{soak: soon}"), `spec.upgrade.gates.soak: Invalid value: "soon": write numbers with the units h, m, s and ms, for example 90s or 1h30m`},
		{"a timeout too short", gates("{timeout: 9s}"), "spec.upgrade.gates.timeout 9s is too short for a pod to start: use at least 10s"},
		{"invalid increase", gates("{maxErrorRateIncrease: '0.01'}"), `spec.upgrade.gates.maxErrorRateIncrease: Invalid value: "0.01": write a number from 0 to 100 with a percent sign, for example 1% or 0.5%`},
		{"an increase above all", gates("{maxErrorRateIncrease: 101%}"), "spec.upgrade.gates.maxErrorRateIncrease in body should match"},
		{"a fraction of a duration", gates("{soak: 1.5m}"), "spec.upgrade.gates.soak in body should match '^([0-9]{1,5}(h|m|s|ms)){1,4}$'"},
		{"a duration of several units", gates("{soak: 1m30s500ms}"), ""},
		{"a Prometheus with certificates", gates("{prometheus: {address: 'https://a', caBundle: \"-----BEGIN CERTIFICATE-----\\nMA==\"}}"), ""},
		{"a Prometheus with certificates in base64", gates("{prometheus: {address: 'https://a', caBundle: LS0tLS1CRUdJTg==}}"), "write certificates as PEM text"},
		{"maxDisconnected 0", gates("{maxDisconnected: 0}"), ""},
		{"negative maxDisconnected", gates("{maxDisconnected: -1}"), "spec.upgrade.gates.maxDisconnected -1 is not a number or a percentage: write a number of at least 0, or 0% to 100%"},
		{"maxDisconnected without a unit", gates("{maxDisconnected: '5'}"), "spec.upgrade.gates.maxDisconnected 5 is not a number or a percentage"},
		{"a drainTimeout too short", mesh("osm", "{sidecar: {drainTimeout: 59s}}"), "spec.sidecar.drainTimeout is 59s: use 1m to 24h"},
		{"a drainTimeout too long", mesh("osm", "{sidecar: {drainTimeout: 25h}}"), "spec.sidecar.drainTimeout is 25h: use 1m to 24h"},
		{"sidecars in place", mesh("osm", "{sidecar: {drainTimeout: 24h}, upgrade: {dataPlane: {restart: InPlace}}}"), ""},
		{"pulls", plane("{pull: {mode: 'Off', parallelism: 1}}"), ""},
		{"pulls of no node", plane("{pull: {parallelism: 0}}"), "spec.upgrade.dataPlane.pull.parallelism: Invalid value: 0"},
		{"another mode of pulls", plane("{pull: {mode: Always}}"), "spec.upgrade.dataPlane.pull.mode: Unsupported value"},
		{"maxUnavailable 0", plane("{maxUnavailable: 0}"), "spec.upgrade.dataPlane.maxUnavailable 0 allows no restart or is not a percentage: write a number of at least 1, or 1% to 100%"},
		{"maxUnavailable 0%", plane("{maxUnavailable: 0%}"), "spec.upgrade.dataPlane.maxUnavailable 0% allows no restart or is not a percentage"},
		{"maxUnavailable over 100%", plane("{maxUnavailable: 101%}"), "maxUnavailable 101% allows no restart or is not a percentage"},
		{"negative maxUnavailable", plane("{maxUnavailable: -1}"), "maxUnavailable -1 allows no restart"},
		{"maxUnavailable 1", plane("{maxUnavailable: 1}"), ""},
		{"maxUnavailable 100%", plane("{maxUnavailable: 100%}"), ""},
		{"canary", mesh("osm", "{upgrade: {strategy: {type: Canary, canary: {namespaceSelector: {matchLabels: {tier: test}}}}}}"), ""},
		{"in place", mesh("osm", "{upgrade: {strategy: {type: InPlace}}}"), ""},
		{"canary without namespaces", mesh("osm", "{upgrade: {strategy: {type: Canary}}}"), "spec.upgrade.strategy.type Canary needs spec.upgrade.strategy.canary"},
		{"canary with an empty selector", mesh("osm", "{upgrade: {strategy: {type: Canary, canary: {namespaceSelector: {}}}}}"), "spec.upgrade.strategy.canary.namespaceSelector is empty"},
		{"in place with namespaces", mesh("osm", "{upgrade: {strategy: {canary: {namespaceSelector: {matchLabels: {tier: test}}}}}}"), "spec.upgrade.strategy.canary has no effect with type InPlace"},
		{"an unknown strategy", mesh("osm", "{upgrade: {strategy: {type: BlueGreen}}}"), `Unsupported value: "BlueGreen"`},
		{"Prometheus over TLS", gates("{prometheus: {address: 'https://prometheus.example.com'}}"), ""},
		{"Prometheus over IPv6", gates("{prometheus: {address: 'http://[fd00::1]:9090'}}"), ""},
		{"Prometheus without an address", gates("{prometheus: {}}"), "spec.upgrade.gates.prometheus.address: Required value"},
		{"Prometheus without a scheme", gates("{prometheus: {address: 'prometheus.monitoring.svc:9090'}}"), `spec.upgrade.gates.prometheus.address "prometheus.monitoring.svc:9090" ` + noAddress},
		{"Prometheus with another scheme", gates("{prometheus: {address: 'ftp://prometheus'}}"), `"ftp://prometheus" ` + noAddress},
		{"Prometheus without a host", gates("{prometheus: {address: 'http://'}}"), `"http://" ` + noAddress},
		{"Prometheus with an invalid address", gates("{prometheus: {address: 'the usual one'}}"), `"the usual one" ` + noAddress},
		{"Prometheus with a password", gates("{prometheus: {address: 'http://me:secret@prometheus:9090'}}"), noAddress},
		{"Prometheus with a query", gates("{prometheus: {address: 'http://prometheus:9090?tenant=a'}}"), noAddress},
		{"Prometheus with an empty query", gates("{prometheus: {address: 'http://prometheus:9090', query: ''}}"), "spec.upgrade.gates.prometheus.query"},
	})
}
