// Package paths says where everything of the local cluster lies: one state folder that `down` removes, one cache folder that stays.
//
// In: the environment. Out: absolute paths; nothing is created here.
package paths
