// Package peers tests two meshes that exchange Services, each in a cluster of its own: who can call what, and what happens to requests when one of
// them changes, fails or cannot be reached.
//
// Input: the local cluster, and a second one on a simulated machine. Output: outcomes of requests and sessions between them.
package peers
