"""What columns are called elsewhere, in German and English. Used for proposals only; nothing is mapped by it."""

from __future__ import annotations

_WORDS = """
customer_id: adressnr adressnummer clientid contactid customer customerid customerkey customerno customernumber
    debitor debitorennr debitorennummer kdnr kontaktid kunde kunden kundenid kundennr kundennrid kundennummer userid
email: billingemail customeremail email email1 emailaddress emailadresse emailkunde epost kundenemail mail
    mailaddress mailadresse
first_name: billingfirstname firstname forename givenname rufname vorname vornamen
last_name: billinglastname familienname familyname lastname nachname name name1 surname zuname
salutation: anrede anredeschlüssel briefanrede prefix salutation title
company: betrieb companyname firma firmenname organisation organization unternehmen
birthday: bday birthdate dateofbirth dob geb gebdatum geboren geborenam gebtag geburtsdatum geburtstag
language: lang locale sprachcode sprache
address_form: anredeform dusie duzen siedu
timezone: tz zeitzone
country: countrycode land lkz ländercode länderkennzeichen staat
customer_since: angelegtam anlagedatum createdat datefirstpurchase erfasstam kundenseit kundeseit registered
    registeredat since
tags: gruppe kategorie kundengruppe labels merkmale schlagworte schlagwörter tag
purchase_id: auftragsnr auftragsnummer belegnr belegnummer bestellnr bestellnummer bestellung bonnr invoiceno
    invoicenumber order orderid orderno ordernumber rechnungsnr rechnungsnummer
purchased_at: auftragsdatum belegdatum bestelldatum date datum gekauftam invoicedate kaufdatum orderdate
    purchasedate rechnungsdatum
amount: betrag brutto bruttobetrag endbetrag gesamt gesamtbetrag grandtotal ordertotal preis rechnungsbetrag summe
    total umsatz
currency: curr currencycode waehrung währung
status: auftragsstatus bestellstatus orderstatus zustand
categories: category kategorie kategorien productcategory warengruppe warengruppen
items: artikel bezeichnung lineitems positionen product products produkt produkte
notice_shown_at: hinweisam hinweisgezeigtam
notice: hinweis widerspruchshinweis
service_item_id: anlage anlagenid anlagennr anlagennummer assetid geraetenr geräteid gerätenr gerätenummer gerätid
    itemid rahmennr rahmennummer serial serialnumber seriennr seriennummer
name: anlagenbezeichnung bezeichnung geraet gerät gerätebezeichnung item model modell
item_type: anlagenart anlagentyp art geraetetyp geräteart gerätetyp typ type
last_service_on: lastservice letzteinspektion letzteprüfung letzterservice letztewartung wartungam wartungzuletzt
interval: intervall serviceinterval turnus wartungsintervall wartungsturnus
next_service_on: faelligam fällig fälligam naechstewartung nextservice nächsteinspektion nächsterservice
    nächstewartung wartungfällig
booked_for: appointment gebuchtam gebuchtfür termin terminam
contract_ref: contract contractno vertrag vertragsnr vertragsnummer wartungsvertrag
contract_from: contractstart vertragab vertragsbeginn vertragvon
contract_until: contractend vertragbis vertragsende
visit_id: arbeitsscheinnr berichtsnr besuchsnr einsatznr einsatznummer protokollnr
done_on: ausgeführtam besuchsdatum date datum durchgeführtam einsatzdatum erledigtam
report_url: bericht link protokoll report
state: consent doi einwilligung newsletter optin status zustimmung
at: bestätigtam confirmedat date datum optindate timestamp zeitpunkt
kinds: arten purposes zwecke
wording: einwilligungstext text wortlaut
requested_at: angefragtam angemeldetam requested signupdate
source: formular herkunft origin quelle
proof: beleg evidence nachweis
reason: grund sperrgrund
scope: geltung umfang
"""
# A heading is compared without case, blanks, dots and hyphens: "Geb.-Datum" is gebdatum.


def _read() -> dict[str, frozenset[str]]:
    words: dict[str, frozenset[str]] = {}
    for entry in _WORDS.replace("\n    ", " ").strip().splitlines():
        name, _, synonyms = entry.partition(":")
        words[name] = frozenset(synonyms.split())
    return words


SYNONYMS = _read()
