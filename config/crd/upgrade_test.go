package crd_test

import (
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// gates is a Mesh whose gates are in YAML.
func gates(text string) string { return mesh("osm", "{upgrade: {gates: "+text+"}}") }

// plane is a Mesh whose restarts are in YAML.
func plane(text string) string { return mesh("osm", "{upgrade: {dataPlane: "+text+"}}") }

func testUpgrade(t *testing.T, c client.Client) {
	const noAddress = "is no address of a Prometheus: write an http or https URL without user, query and fragment, for example http://prometheus.monitoring.svc:9090"
	checkCreations(t, c, []creation{
		{"with all gates", gates("{soak: 1m, timeout: 10s, maxErrorRateIncrease: 0.5%, maxRejectedConfigs: 1, maxRestarts: 0, prometheus: {address: 'http://prometheus.monitoring.svc:9090/base', query: 'vector(0)'}}"), ""},
		{"a soak that is none", gates("{soak: soon}"), `spec.upgrade.gates.soak "soon" is not a duration: write a number with a unit, for example 5m`},
		{"a timeout too short", gates("{timeout: 9s}"), "spec.upgrade.gates.timeout 9s is too short for a pod to start: use at least 10s"},
		{"an increase that is no percentage", gates("{maxErrorRateIncrease: '0.01'}"), `spec.upgrade.gates.maxErrorRateIncrease "0.01" is not a percentage: write for example 1% or 0.5%`},
		{"nothing may be unavailable", plane("{maxUnavailable: 0}"), "spec.upgrade.dataPlane.maxUnavailable 0 would never restart anything, or is no percentage: write a number from 1 on, or 1% to 100%"},
		{"no part may be unavailable", plane("{maxUnavailable: 0%}"), "spec.upgrade.dataPlane.maxUnavailable 0% would never restart anything, or is no percentage"},
		{"more than all may be unavailable", plane("{maxUnavailable: 101%}"), "maxUnavailable 101% would never restart anything, or is no percentage"},
		{"fewer than none may be unavailable", plane("{maxUnavailable: -1}"), "maxUnavailable -1 would never restart anything"},
		{"one may be unavailable", plane("{maxUnavailable: 1}"), ""},
		{"all may be unavailable", plane("{maxUnavailable: 100%}"), ""},
		{"Prometheus over TLS", gates("{prometheus: {address: 'https://prometheus.example.com'}}"), ""},
		{"Prometheus over IPv6", gates("{prometheus: {address: 'http://[fd00::1]:9090'}}"), ""},
		{"Prometheus nowhere", gates("{prometheus: {}}"), "spec.upgrade.gates.prometheus.address: Required value"},
		{"Prometheus without a scheme", gates("{prometheus: {address: 'prometheus.monitoring.svc:9090'}}"), `spec.upgrade.gates.prometheus.address "prometheus.monitoring.svc:9090" ` + noAddress},
		{"Prometheus with another scheme", gates("{prometheus: {address: 'ftp://prometheus'}}"), `"ftp://prometheus" ` + noAddress},
		{"Prometheus without a host", gates("{prometheus: {address: 'http://'}}"), `"http://" ` + noAddress},
		{"Prometheus in words", gates("{prometheus: {address: 'the usual one'}}"), `"the usual one" ` + noAddress},
		{"Prometheus with a password", gates("{prometheus: {address: 'http://me:secret@prometheus:9090'}}"), noAddress},
		{"Prometheus with a query", gates("{prometheus: {address: 'http://prometheus:9090?tenant=a'}}"), noAddress},
		{"Prometheus that is asked nothing", gates("{prometheus: {address: 'http://prometheus:9090', query: ''}}"), "spec.upgrade.gates.prometheus.query"},
	})
}
