// Package upgrade tests upgrades and rollbacks of a mesh with real sidecars of both versions, under load without a
// failed request.
//
// Input: a local cluster with the images of this version and of the recorded version before it. Output: the result of
// each scenario with its number of requests. The longest scenarios run only with OSM_TEST_FULL=true, which `make
// test-full` sets.
package upgrade
