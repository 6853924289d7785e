"""Lets a real Thunderbird write address books, and copies its profile while it runs.

thunderbird_book.py HARNESS WORKDIR COPY: HARNESS is ../shared/thunderbird; WORKDIR/profile is what Thunderbird leaves behind.
"""
import shutil
import sys

sys.path.insert(0, sys.argv[1])
from thunderbird import Thunderbird

WRITE = r"""
  const {AddrBookCard} = ChromeUtils.importESModule("resource:///modules/AddrBookCard.sys.mjs");
  const {VCardProperties} = ChromeUtils.importESModule("resource:///modules/VCardUtils.sys.mjs");
  const card = props => {
    const c = new AddrBookCard();
    c.setProperty("_vCard", VCardProperties.fromPropertyMap(new Map(Object.entries(props)), "4.0").toVCard());
    return c;
  };
  const book = MailServices.ab.getDirectory("jsaddrbook://abook.sqlite");
  const petr = book.addCard(card({DisplayName: "Иванов Пётр Сергеевич", FirstName: "Пётр", LastName: "Иванов", PrimaryEmail: "p.ivanov@romashka.test",
    SecondEmail: "petr@example.com", WorkPhone: "+7 (495) 000-00-31", CellularNumber: "8-916-000-00-32", Company: "ООО «Ромашка»", JobTitle: "Главный бухгалтер",
    BirthYear: "1975", BirthMonth: "1", BirthDay: "30"}));
  const list = Cc["@mozilla.org/addressbook/directoryproperty;1"].createInstance(Ci.nsIAbDirectory);
  list.isMailList = true;
  list.dirName = "Клиенты";
  book.addMailList(list).addCard(petr);
  const id = MailServices.ab.newAddressBook("Поставщики", "", 101);
  MailServices.ab.directories.find(d => d.dirPrefId == id).addCard(card({DisplayName: "Поставщик", PrimaryEmail: "sup@supplier.test"}));
  MailServices.ab.getDirectory("jsaddrbook://history.sqlite").addCard(card({DisplayName: "Собран Автоматически", PrimaryEmail: "collected@romashka.test"}));
  await new Promise(done => setTimeout(done, 1500));
"""

tb = Thunderbird(workdir=sys.argv[2])
try:
    tb.start()
    tb.m.run(WRITE)
    shutil.copytree(tb.profile, sys.argv[3], ignore=lambda d, names: [n for n in names if "sqlite" not in n])
finally:
    tb.stop()
