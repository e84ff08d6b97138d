// Package repo finds the root of the checkout that a developer tool runs in.
//
// Input: a folder inside the checkout. Output: the folder with the go.mod of the product.
package repo
