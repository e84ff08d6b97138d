// Package takeover runs Open Service Mesh v1.2 itself, with its sidecars and real traffic, and replaces it by a Mesh under load: after OSM was removed, and
// beside it while it runs.
//
// Input: a local cluster with the programs of OSM's module, its chart and an Envoy. Output: which traffic OSM allows and denies, how many requests fail by
// their senders while a Mesh replaces it, what is sent in the clear between pods, and whether what users and OSM wrote is unchanged. All tests run only with
// OSM_TEST_FULL=true, which `make test-full` sets. With OSM_TAKEOVER_LOAD=long the load of a replacement is 200 requests per second until there were 100,000.
package takeover
