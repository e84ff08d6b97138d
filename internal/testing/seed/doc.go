// Package seed has the seed of random values in long property tests.
//
// The environment variable OSM_TEST_SEED flows in, which `make test` derives from the code of the mesh and its tests: the same code has the same random
// values, so that a change fails for what it changes. The seed flows out. Without the variable, as in `make test-full`, each run has other values.
package seed
