// Package upgrade tests the way from one version of a mesh to the next, and back: with real sidecars of both versions, under
// traffic of which no request may fail.
//
// In flow a local cluster with the images of this version and of the recorded one before; out flows the verdict of each scenario
// with its numbers of requests. The scenarios that take longest run with OSM_TEST_FULL=true alone, which `make test-full` sets.
package upgrade
