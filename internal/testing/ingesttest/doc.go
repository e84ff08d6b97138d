// Package ingesttest makes objects from YAML for tests of what reads them, and compares the problems that were found.
package ingesttest
