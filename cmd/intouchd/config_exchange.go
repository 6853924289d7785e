package main

import (
	"strings"

	"intouch/exchange"
)

// ExchangeConfig is how accounting systems are read.
type ExchangeConfig struct {
	FileLimit int                 // MB of one part, which 1C is told
	MaxUpload int                 // MB of one file that 1C sends, as it comes and unpacked
	Values    exchange.Requisites // names of 1C's additional values
}

func (c *reading) exchange(t *table) {
	c.cfg.Exchange.FileLimit = t.number("file_limit_mb", 2, 1, 100)
	c.cfg.Exchange.MaxUpload = t.number("max_upload_mb", 512, 10, 100_000)
	values := t.table("values")
	names := func(key string, def []string) []string {
		list := values.texts(key, def...)
		for _, name := range list {
			if strings.TrimSpace(name) == "" {
				values.fault(key, "a name is empty")
			}
		}
		return list
	}
	def := exchange.DefaultRequisites
	c.cfg.Exchange.Values = exchange.Requisites{
		ShipDue: names("ship_due", def.ShipDue),
		PayDue:  names("pay_due", def.PayDue),
		Manager: names("manager", def.Manager),
		Paid:    names("paid", def.Paid),
		Shipped: names("shipped", def.Shipped),
	}
}
