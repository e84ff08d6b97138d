// Package paths defines the folders of the local cluster: a state folder that `down` removes, and a cache folder that
// stays.
//
// Input: the environment. Output: absolute paths; it creates nothing.
package paths
