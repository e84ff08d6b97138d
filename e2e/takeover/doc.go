// Package takeover runs Open Service Mesh v1.2 itself, with its sidecars and real traffic, and replaces it by a Mesh under load.
//
// Input: a local cluster with the programs of OSM's module, its chart and an Envoy. Output: which traffic OSM allows and denies, and how many
// requests fail while a Mesh replaces it. All tests run only with OSM_TEST_FULL=true, which `make test-full` sets. With OSM_TAKEOVER_LOAD=long the load
// is 200 requests per second until there were 100,000.
package takeover
