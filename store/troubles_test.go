package store_test

import (
	"testing"

	"intouch/store"
)

func TestDisk_Low(t *testing.T) {
	const gb = 1 << 30
	for d, want := range map[store.Disk]bool{
		{}: false, {Free: 2 * gb, Total: 100 * gb}: false, {Free: gb - 1, Total: 100 * gb}: true,
		{Free: gb / 2, Total: 4 * gb}: false, {Free: gb / 3, Total: 4 * gb}: true, {Total: gb}: true,
	} {
		if d.Low() != want {
			t.Errorf("%+v: low is %v", d, !want)
		}
	}
}
